"""`ros2 run wm_planner verify_bundle`; see docs/gpu.md and --help."""

import sys

from rclpy.utilities import remove_ros_args
from wm_bundle.stop_signals import raise_when_stopped
from wm_planner.command_line import told_when_stopped

from wm_tools.common.console import ProgressBar, make_console, say
from wm_tools.common.errors import ParityError, ProviderError, VerificationError
from wm_tools.verify_bundle.options import VerifyOptions, parse_options
from wm_tools.verify_bundle.results import RESULT, write_result
from wm_tools.verify_bundle.terminal import show
from wm_tools.verify_bundle.verify import Verification, verify

PASSED, FAILED, USAGE, NO_PROVIDER = range(4)


def main() -> int:
    """Verify, report, and return the exit code: 0; 1 when parity or deadline fails; 2 for wrong usage, a bundle, a
    recording or an output that cannot be used, 3 for a provider; 128 + the signal when stopped by one."""
    options = parse_options(remove_ros_args(sys.argv)[1:])
    raise_when_stopped()
    try:
        return _verify(options)
    except VerificationError as error:
        print(f"verify_bundle: {error}", file=sys.stderr)
        return {ParityError: FAILED, ProviderError: NO_PROVIDER}.get(type(error), USAGE)
    except OSError as error:
        print(f"verify_bundle: {options.output} cannot be written: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt as stop:
        code, line = told_when_stopped("verify_bundle", stop, "nothing is written")
        print(line, file=sys.stderr)
        return code


def _verify(options: VerifyOptions) -> int:
    console = make_console()
    with ProgressBar(console) as progress:
        verification = verify(options, progress, lambda line: say(console, line))
    show(console, verification)
    if options.output is not None:
        write_result(options.output, verification)
        say(console, f"wrote {options.output / RESULT}")
    return _judge(verification)


def _judge(verification: Verification) -> int:
    """Say what holds; the exit code."""
    for verdict in verification.verdicts:
        if not verdict.holds:
            one = verdict.difference
            print(f"FAILS: {one.output} differs by {one.value:.2g}, more than {verdict.tolerance:g}", file=sys.stderr)
    checked = verification.self_check
    if checked is not None and checked.failed:
        print(
            f"FAILS: the bundle's self-check, by {', '.join(checked.failed)}: the planner refuses to drive it on "
            f"{verification.provider}",
            file=sys.stderr,
        )
    if verification.parity:
        print("holds: parity")
    period_ms, p99_ms = 1000.0 * verification.manifest.control_period_s, verification.frame.p99_ms
    line = f"a frame's p99 of {p99_ms:.2f} ms in the control period of {period_ms:g} ms"
    print(
        f"holds: {line}" if verification.in_time else f"FAILS: {line}",
        file=sys.stdout if verification.in_time else sys.stderr,
    )
    return PASSED if verification.parity and verification.in_time else FAILED


if __name__ == "__main__":
    sys.exit(main())

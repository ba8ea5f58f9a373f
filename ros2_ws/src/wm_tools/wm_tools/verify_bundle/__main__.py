"""`ros2 run wm_tools verify_bundle`; see docs/gpu.md and --help."""

import sys

from wm_evaluation.command_line import parse, run

from wm_tools.common.console import ProgressBar, make_console, say
from wm_tools.common.errors import ParityError, ProviderError, VerificationError
from wm_tools.common.ros_words import own_words
from wm_tools.verify_bundle.results import RESULT, write_result
from wm_tools.verify_bundle.row import markdown, table_head
from wm_tools.verify_bundle.terminal import show
from wm_tools.verify_bundle.verify import Verification, measure_row, verify
from wm_tools.verify_bundle.verify_bundle_options import VerifyOptions

PASSED, FAILED, USAGE, NO_PROVIDER = range(4)
CODES = {ParityError: FAILED, ProviderError: NO_PROVIDER, VerificationError: USAGE, OSError: USAGE}


def main() -> int:
    """Verify, report, and return the exit code (see --help)."""
    options = parse(VerifyOptions, "ros2 run wm_tools verify_bundle", own_words("verify_bundle"))
    work = _row if options.row else _verify
    return run("verify_bundle", lambda: work(options), CODES, "nothing is written", options.output)


def _row(options: VerifyOptions) -> int:
    console = make_console()
    with ProgressBar(console) as progress:
        row = measure_row(options, progress)
    line = markdown(row.cells)
    for name, value in sorted(row.machine.items()):
        say(console, f"{name}: {value}")
    print(f"\n{table_head()}\n{line}")
    if options.output is not None:
        with options.output.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        say(console, f"\nappended to {options.output}")
    return PASSED


def _verify(options: VerifyOptions) -> int:
    console = make_console()
    with ProgressBar(console) as progress:
        verification = verify(options, progress)
    show(console, verification)
    if options.output is not None:
        write_result(options.output, verification)
        say(console, f"wrote {options.output / RESULT}")
    return _judge(verification)


def _judge(verification: Verification) -> int:
    """Print what holds; returns the exit code."""
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

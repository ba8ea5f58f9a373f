"""`ros2 run wm_planner evaluate_bag`; see docs/evaluation.md and --help."""

import sys

from rclpy.utilities import remove_ros_args
from wm_bundle.stop_signals import raise_when_stopped
from wm_evaluation.report import write_page
from wm_evaluation.terminal import print_whole
from wm_planner.command_line import told_when_stopped

from wm_tools.common.console import ProgressBar, make_console
from wm_tools.common.errors import BagError, BundleRefused, EvaluationError
from wm_tools.evaluate_bag.comparison import Comparison
from wm_tools.evaluate_bag.options import EvaluateOptions, parse_options
from wm_tools.evaluate_bag.report import build_page
from wm_tools.evaluate_bag.results import write_results
from wm_tools.evaluate_bag.run import evaluate
from wm_tools.evaluate_bag.terminal import summary_table
from wm_tools.evaluate_bag.verdict import spell_driven, verdict
from wm_tools.evaluate_bag.worst_moments import write_video

PASSED, FAILED, USAGE, NO_BAG, NO_BUNDLE, NO_OUTPUT = range(6)
REPORT, VIDEO = "report.html", "worst_moments.mp4"


def main() -> int:
    """Evaluate, report, and return the exit code: 0; 1 when a threshold fails, or without one where it braked in more
    than half of the frames; 2 for wrong usage, 3 for a recording,
    4 for a bundle, 5 for an output that cannot be used; 128 + the signal when stopped by one."""
    options = parse_options(remove_ros_args(sys.argv)[1:])
    raise_when_stopped()
    try:
        return _evaluate(options)
    except EvaluationError as error:
        print(f"evaluate_bag: {error}", file=sys.stderr)
        return {BagError: NO_BAG, BundleRefused: NO_BUNDLE}.get(type(error), USAGE)
    except OSError as error:
        print(f"evaluate_bag: {options.output} cannot be written: {error}", file=sys.stderr)
        return NO_OUTPUT
    except KeyboardInterrupt as stop:
        code, line = told_when_stopped("evaluate_bag", stop, "nothing more is written")
        print(line, file=sys.stderr)
        return code


def _evaluate(options: EvaluateOptions) -> int:
    console = make_console()
    with ProgressBar(console) as progress:
        comparison = evaluate(options, progress)
    write_results(options.output, comparison)
    video = b""
    if comparison.evaluations[0].moments:
        write_video(options.output / VIDEO, comparison.evaluations)
        video = (options.output / VIDEO).read_bytes()
    else:
        (options.output / VIDEO).unlink(missing_ok=True)  # of an evaluation before
    write_page(options.output / REPORT, build_page(comparison, video))
    console.print(verdict(comparison), highlight=False, markup=False, soft_wrap=True)
    print_whole(console, summary_table(comparison, console.width))
    console.print(
        f"{spell_driven(comparison)}, {comparison.frames_per_s:.0f} frames/s, "
        f"{comparison.times_real_time:.1f} times real time; wrote "
        f"{options.output}/",
        highlight=False,
        soft_wrap=True,
    )
    return _judge(comparison)


def _judge(comparison: Comparison) -> int:
    """Say which thresholds hold; the exit code."""
    for entry in comparison.verdicts:
        found = "cannot be told" if entry.value != entry.value else f"{entry.value:.6g}"
        asked = "" if comparison.options.thresholds else " (the default)"
        line = f"{'holds' if entry.holds else 'FAILS'}: {entry.threshold}{asked}, found {found}"
        print(line, file=sys.stdout if entry.holds else sys.stderr)
    return PASSED if all(entry.holds for entry in comparison.verdicts) else FAILED


if __name__ == "__main__":
    sys.exit(main())

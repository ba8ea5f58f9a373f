"""`ros2 run wm_tools evaluate_bag`; see docs/evaluation.md and --help."""

import sys

from wm_evaluation.command_line import parse, run
from wm_evaluation.report import write_page
from wm_evaluation.terminal import print_whole

from wm_tools.common.console import ProgressBar, make_console
from wm_tools.common.errors import BagError, BundleRefused, EvaluationError
from wm_tools.common.ros_words import own_words
from wm_tools.evaluate_bag.comparison import Comparison
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions
from wm_tools.evaluate_bag.figures import FIGURES
from wm_tools.evaluate_bag.report import build_page
from wm_tools.evaluate_bag.results import write_results
from wm_tools.evaluate_bag.run import evaluate
from wm_tools.evaluate_bag.terminal import summary_table
from wm_tools.evaluate_bag.verdict import spell_driven, verdict
from wm_tools.evaluate_bag.worst_moments import write_video

PASSED, FAILED, USAGE, NO_BAG, NO_BUNDLE, NO_OUTPUT = range(6)
REPORT, VIDEO = "report.html", "worst_moments.mp4"
CODES = {BagError: NO_BAG, BundleRefused: NO_BUNDLE, EvaluationError: USAGE, OSError: NO_OUTPUT}


def main() -> int:
    """Evaluate, report, and return the exit code (see --help)."""
    words = own_words("evaluate_bag")
    if "--list-metrics" in words:
        for name, meaning in FIGURES.items():
            print(f"{name:<44} {meaning}")
        return PASSED
    options = parse(EvaluateOptions, "ros2 run wm_tools evaluate_bag", words)
    return run("evaluate_bag", lambda: _evaluate(options), CODES, "nothing more is written", options.output)


def _evaluate(options: EvaluateOptions) -> int:
    console = make_console()
    with ProgressBar(console) as progress:
        comparison = evaluate(options, progress)
    write_results(options.output, comparison)
    video = b""
    if comparison.first.moments:
        write_video(options.output / VIDEO, comparison.evaluations)
        video = (options.output / VIDEO).read_bytes()
    else:
        (options.output / VIDEO).unlink(missing_ok=True)  # from an earlier evaluation
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
    """Print which thresholds hold; returns the exit code."""
    for entry in comparison.verdicts:
        found = "not known" if entry.value != entry.value else f"{entry.value:.6g}"
        asked = "" if comparison.options.thresholds else " (the default)"
        line = f"{'holds' if entry.holds else 'FAILS'}: {entry.threshold}{asked}, found {found}"
        print(line, file=sys.stdout if entry.holds else sys.stderr)
    return PASSED if all(entry.holds for entry in comparison.verdicts) else FAILED


if __name__ == "__main__":
    sys.exit(main())

"""`ros2 run wm_tools benchmark`: controllers on a set of tracks, in closed loop. See docs/benchmark_driving.md."""

import sys

from rich.console import Console
from rich.table import Table
from wm_bundle import Bundle, BundleError, load_bundle
from wm_bundle.files import write_json
from wm_bundle.scores import SCORES_FILE
from wm_evaluation.command_line import DONE, run
from wm_evaluation.report import write_page
from wm_evaluation.terminal import print_whole
from wm_evaluation.wording import counted

from wm_tools.benchmark.benchmark_options import BenchmarkOptions, parse_options
from wm_tools.benchmark.gate import check_thresholds, judge_summary, known_names
from wm_tools.benchmark.plan import in_order, plan_trials
from wm_tools.benchmark.report import build_page
from wm_tools.benchmark.runner import drive_all, settings_of
from wm_tools.benchmark.scores import check_write_scores, write_scores
from wm_tools.benchmark.store import EpisodeStore
from wm_tools.benchmark.summary import build_summary, driving_of
from wm_tools.benchmark.terminal import BenchmarkProgress, comparisons_table, results_table, sweeps_table
from wm_tools.common.errors import DriveError, EvaluationError
from wm_tools.common.machine import machine_facts
from wm_tools.common.ros_words import own_words
from wm_tools.drive.bundle_scores import KnownScores
from wm_tools.drive.controllers import read_policies
from wm_tools.drive.driving_tables import driving_table
from wm_tools.drive.runner import shipped_bundle

EXIT_THRESHOLD, EXIT_USAGE, EXIT_STOPPED = 1, 2, 3
CODES = {EvaluationError: EXIT_USAGE, **dict.fromkeys((BundleError, DriveError, OSError), EXIT_STOPPED)}


def main() -> int:
    """Drive, report, and return the exit code (see --help)."""
    options = parse_options(own_words("benchmark"))
    left = f"finished episodes are in {options.output}, run the same command with --resume to continue"
    return run("benchmark", lambda: _checked(options), CODES, left)


def _checked(options: BenchmarkOptions) -> int:
    check_thresholds(options.thresholds, options)
    if options.list_metrics:
        print("\n".join(known_names(options)))
        return DONE
    common = load_bundle(options.bundle or shipped_bundle())
    if options.write_scores:
        check_write_scores(options, common)
    return _benchmark(options, common)


def _load_bundles(options: BenchmarkOptions, common: Bundle) -> dict[str, Bundle]:
    """The bundle of each controller; expert and random use the default bundle's camera and period. Raises
    BundleError."""
    return {entry.name: load_bundle(entry.bundle) if entry.bundle else common for entry in options.controllers}


def _benchmark(options: BenchmarkOptions, common: Bundle) -> int:
    console, bundles = Console(), _load_bundles(options, common)
    policies = read_policies(options.controllers, options.parameters, bundles)
    settings, planned = settings_of(options, bundles, policies), len(plan_trials(options))
    with EpisodeStore(options.output, settings, options.resume) as store:
        done = len(store.episodes)
        if options.resume:
            console.print(f"{done} of {counted(planned, 'episode')} already driven", highlight=False)
        with BenchmarkProgress(console, planned, done) as progress:
            drive_all(options, bundles, policies, store, progress.update, progress.tell, progress.say)
        episodes = in_order(store.episodes, plan_trials(options))
        summary = build_summary(settings, episodes, machine_facts(), planned)
        page = build_page(summary, episodes)
    verdicts = judge_summary(options.thresholds, summary)
    summary["thresholds"] = [{"threshold": str(verdict.threshold), "holds": verdict.holds} for verdict in verdicts]
    write_json(options.output / "benchmark.json", summary)
    write_page(options.output / "report.html", page)
    for table, rows in (
        (results_table, "groups"),
        (_driving_table, "groups"),
        (comparisons_table, "comparisons"),
        (sweeps_table, "sweeps"),
    ):
        if summary[rows] and (made := table(summary)):
            print_whole(console, made)
    for caveat in summary["caveats"]:
        console.print(caveat, highlight=False)
    console.print(
        f"Wrote {options.output}/benchmark.json, report.html and {store.path.name}", highlight=False, soft_wrap=True
    )
    if options.write_scores:
        scores = write_scores(summary, common)
        line = KnownScores(scores.in_world(", ".join(summary["maps"]))).line
        console.print(f"Wrote {common.path / SCORES_FILE}: {line}", highlight=False, soft_wrap=True)
    for verdict in verdicts:
        word = "holds" if verdict.holds else "FAILS"
        console.print(f"{word}: {verdict.threshold} (found {verdict.value:g})", highlight=False)
    return DONE if all(verdict.holds for verdict in verdicts) else EXIT_THRESHOLD


def _driving_table(summary: dict) -> Table | None:
    return driving_table(driving_of(summary))


if __name__ == "__main__":
    sys.exit(main())

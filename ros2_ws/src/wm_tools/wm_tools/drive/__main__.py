"""`ros2 run wm_tools drive`: what `make drive` runs. See docs and --help."""

import sys

from rich.console import Console
from wm_bundle import BundleError, load_bundle
from wm_bundle.files import write_json
from wm_evaluation.command_line import DONE, run
from wm_evaluation.report import write_page
from wm_evaluation.terminal import print_whole
from wm_sim.worlds import WORLDS

from wm_tools.common.errors import DriveError
from wm_tools.common.machine import machine_facts
from wm_tools.common.ros_words import own_words
from wm_tools.drive.bundle_scores import KnownScores
from wm_tools.drive.controllers import read_policies
from wm_tools.drive.drive_options import DriveOptions, parse_options
from wm_tools.drive.driving_tables import driving_table
from wm_tools.drive.embedded import check_cameras
from wm_tools.drive.progress import DriveProgress, results_table
from wm_tools.drive.report import build_report
from wm_tools.drive.runner import check_planners, drive_controller, parameters_of, shipped_bundle
from wm_tools.drive.summary import DriveResult, build_summary, driving_of


def main() -> int:
    """Drive, report, and return the exit code (see --help)."""
    options = parse_options(own_words("drive"))
    return run("drive", lambda: _drive(options), (BundleError, DriveError, OSError), "no result was written")


def _drive(options: DriveOptions) -> int:
    console, bundle = Console(), load_bundle(options.bundle or shipped_bundle())
    period_s, world = bundle.manifest.control_period_s, WORLDS[options.world]
    known = KnownScores.of(bundle, world.map_name)
    entries, episodes = options.entries, {}
    check_cameras(options, bundle)
    policies = read_policies(entries, options.parameters, {entry.name: bundle for entry in entries})
    check_planners(parameters_of(options, bundle, entry) for entry in entries if entry.has_model)
    with DriveProgress(console, period_s, len(options.seeds), options.max_steps, world) as progress:
        for entry in entries:
            progress.begin(entry.name)
            episodes[entry.name] = drive_controller(entry, options, bundle, progress.update, progress.say)
    policy_ids = {name: policy.manifest.policy_id for name, policy in policies.items()}
    result = DriveResult(
        bundle.manifest.model_id, world.simulator, period_s, episodes, machine_facts(), known, policy_ids
    )
    summary = build_summary(result)
    summary_file, report_file = options.output / "summary.json", options.output / "report.html"
    write_json(summary_file, summary)
    write_page(report_file, build_report(result, summary, bundle.manifest))
    print_whole(console, results_table(result, summary))
    if driving := driving_table(driving_of(summary)):
        print_whole(console, driving)
    if known.line:
        console.print(known.line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"Wrote {summary_file} and {report_file}", highlight=False, soft_wrap=True)
    return DONE


if __name__ == "__main__":
    sys.exit(main())

"""`ros2 run wm_training check_run FOLDER`: judges a training run by its curves."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from wm_evaluation.command_line import DONE, parse, run, say

from wm_training.configuration.layers import build, load
from wm_training.errors import ConfigurationError, TrainingError
from wm_training.monitoring.health import examine, read_run


@dataclass(frozen=True)
class CheckOptions:
    """Judge a training run by its curves."""

    run: tyro.conf.Positional[str]
    """Folder of the run: its config.yaml and its tables are read, nothing in it is written."""
    report: str | None = None
    """Also write all that as a page, to this file (*.html)."""

    def __post_init__(self):
        if self.report is not None and not self.report.endswith(".html"):
            raise ValueError(f"report is {self.report!r}, expected a file's name that ends with .html")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(CheckOptions, "check_run", arguments)
    return run("check_run", lambda: _check(options), (ConfigurationError, TrainingError, OSError))


def _check(options: CheckOptions) -> int:
    from wm_evaluation.report import write_page

    from wm_training.monitoring.report import build_page
    from wm_training.monitoring.run_record import read_record

    folder = Path(options.run).expanduser()
    config = build(load(folder / "config.yaml"))
    curves = read_run(folder)
    if not curves:
        raise FileNotFoundError(f"no metrics.csv with rows in {folder}: give the output_dir of a run")
    report = examine(curves, config)
    print(report.text())
    if options.report is not None:
        file = Path(options.report).expanduser()
        write_page(file, build_page(folder.resolve().name, curves, config, report, read_record(folder)))
        say("check_run", f"wrote {file}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())

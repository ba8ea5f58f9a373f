"""`ros2 run wm_training inspect`: the contents of a folder of episodes, as tables and as a page."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_evaluation.command_line import DONE, ERROR, PARTLY, parse, run, say
from wm_evaluation.terminal import counting_progress

PROGRAM = "inspect"
TABLE_WIDTH = 110  # [characters] without a terminal's width


@dataclass(frozen=True)
class Options:
    """Show the contents of a folder of episodes."""

    dataset: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")]
    """Folder of episodes (*.npz), or with such folders train and val."""
    output: str = "out/inspect/inspect.html"
    """Where the page goes (*.html)."""
    thumbnails: int = 100
    """Episodes whose pictures are on the page: those with something suspicious first."""
    validation_share: float = 0.1
    """Share of the episodes that validates, as of `train`; without folders train and val."""

    def __post_init__(self):
        if not self.output.endswith(".html"):
            raise ValueError(f"output is {self.output!r}, expected a file's name that ends with .html")
        if not 0 <= self.thumbnails <= 10_000:
            raise ValueError(f"thumbnails is {self.thumbnails}, expected 0 to 10000")
        if not 0.0 <= self.validation_share < 1.0:
            raise ValueError(f"validation_share is {self.validation_share:g}, expected from 0 to below 1")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code: 3 if some files cannot be read, after showing all others, 1 if none can."""
    options = parse(Options, PROGRAM, arguments)

    def work() -> int:
        from wm_data.episodes import EpisodeError

        return run(PROGRAM, lambda: _inspect(options), (EpisodeError, OSError))

    return run(PROGRAM, work, ())


def _inspect(options: Options) -> int:
    from rich.console import Console
    from wm_data.inspection.facts import conversion_report, problems
    from wm_data.inspection.page import build_page
    from wm_data.inspection.survey import survey
    from wm_data.inspection.terminal import tables
    from wm_data.splits import SPLITS, split_files
    from wm_evaluation.report import write_page

    from wm_training.configuration.config import WorldModelTrainConfig

    config = WorldModelTrainConfig()
    folder = Path(options.dataset).expanduser()
    files = dict.fromkeys(split_files(folder, 0.0, "train"), "left out")  # imagined from what validates
    files |= {file: split for split in SPLITS for file in split_files(folder, options.validation_share, split)}
    with counting_progress("inspecting", Console(stderr=True)) as progress:
        task = progress.add_task("inspecting", total=len(files), note="")
        ordered = dict(sorted(files.items()))
        found = survey(ordered, options.thumbnails, lambda done: progress.update(task, completed=done), config.discount)
    skipped, failed = conversion_report(sorted({folder, *(file.parent for file in files)}))
    to_look_at = problems(found, config.sequence_length, config.bin_limit, config.discount) + failed
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(tables(found, to_look_at, skipped))
    page = Path(options.output).expanduser()
    try:
        write_page(page, build_page(folder.resolve().name, found, to_look_at, skipped, failed))
    except OSError as error:
        say(PROGRAM, f"{page} cannot be written ({error}): name another --output")
        return ERROR
    say(PROGRAM, f"wrote {page}")
    if found.unreadable:
        say(PROGRAM, f"{len(found.unreadable)} of {len(files)} files cannot be read")
        return PARTLY if found.episodes else ERROR
    return DONE


if __name__ == "__main__":
    sys.exit(main())

"""`ros2 run wm_training visualize`: shows and scores what a trained world model imagines."""

import sys
from dataclasses import dataclass
from typing import Literal

from wm_training.cli import DONE, parse, run
from wm_training.errors import TrainingError
from wm_training.imagination.window_settings import WindowSettings


@dataclass(frozen=True, kw_only=True)
class Options(WindowSettings):
    """The command line."""

    checkpoint: str
    """Checkpoint of the model, such as runs/carracing/round_2/best_model.pt."""
    data_path: str | None = None
    """Folder of episodes; without it the one that the model was trained on."""
    output: str | None = None
    """Folder for the files; without it `visualize` beside the checkpoint."""
    split: Literal["val", "train"] = "val"
    """Episodes to score; those of the training split flatter the model."""
    episode: str | None = None
    """File name of the episode to draw; without it a window of median picture error is drawn."""
    index: int | None = None
    """Number of the episode to draw in its split, instead of its name."""
    start: int | None = None
    """First row to draw, of the episode named, or else of the first one."""
    samples: int = 0
    """Futures to sample of each window, 0 for the model's num_imagination_samples."""
    device: str = "auto"
    """Where to compute: auto (a GPU where there is one), cpu, cuda, cuda:1 …"""
    threads: int = 0
    """CPU threads, 0 for the number of cores."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("samples", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.episode is not None and self.index is not None:
            raise ValueError(f"episode is {self.episode} and index is {self.index}, expected only one of them")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "Show and score what a trained world model imagines.", "visualize", arguments)
    return run("visualize", lambda: _visualize(options), (TrainingError, OSError))


def _visualize(options: Options) -> int:
    from wm_data.episodes import EpisodeError  # here, so that Ctrl-C while torch loads gets no traceback

    from wm_training.imagination.imagination_report import report

    def work() -> int:
        report(options)
        return DONE

    return run("visualize", work, (EpisodeError, TrainingError, OSError))


if __name__ == "__main__":
    sys.exit(main())

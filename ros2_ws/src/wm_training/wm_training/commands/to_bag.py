"""`ros2 run wm_training to_bag`: an episode as an mcap that ROS, the planner and Foxglove can play."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_data.episodes import EpisodeError, read_episode
from wm_data.errors import ConversionError
from wm_evaluation.command_line import DONE, parse, run, say


@dataclass(frozen=True)
class Options:
    """Write an episode as an mcap that can be played."""

    episode: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EPISODE")]
    """Episode file (*.npz)."""
    dest: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DEST")]
    """What to write: a file NAME.mcap, or a rosbag2 folder. It must not exist yet."""
    role_name: str = "ego_vehicle"
    """Name of the vehicle in the topics."""

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.role_name):
            raise ValueError(f"role_name is {self.role_name!r}, expected letters, digits and '_', as in ego_vehicle")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "to_bag", arguments)
    return run("to_bag", lambda: _to_bag(options), (ConversionError, EpisodeError, OSError))


def _to_bag(options: Options) -> int:
    from wm_data.to_bag.writing import write_episode_bag

    dest = Path(options.dest).expanduser()
    episode = read_episode(Path(options.episode).expanduser())
    write_episode_bag(episode, dest, options.role_name)
    say("to_bag", f"wrote {len(episode)} rows to {dest}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())

"""Command-line options of `play_bag`: names and meanings are those of `ros2 bag play`."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_data.conversion.convert_options import BagRecovery
from wm_evaluation.command_line import option, parse, several

from wm_tools.common.errors import ReplayError
from wm_tools.replay.controls import HELP

CLOCK_TOPIC = "/clock"
MAX_GAP_S = 60.0
_CLOCK_HZ = 40  # for --clock without a number, as in ros2 bag play
_KEYBOARD = option(meaning=f"Ignore the keyboard; otherwise, in a terminal, {HELP}.")


def _renaming(word: str) -> tuple[str, str]:
    old, separator, new = word.partition(":=")
    if not (separator and old.startswith("/") and new.startswith("/")):
        raise ValueError(f"expected /old:=/new, found '{word}'")
    return old, new


@dataclass(frozen=True)
class PlayOptions(BagRecovery):
    """Plays a bag (mcap, sqlite3, ROS 1) like `ros2 bag play`, with the same options.

    Services: ~/pause (std_srvs/SetBool) and ~/step (std_srvs/Trigger). See docs/replay.md.
    """

    bag: Annotated[Path, tyro.conf.Positional, option("BAG")]
    """File or folder."""
    rate: Annotated[float, option("R", None, "-r")] = 1.0
    """Recorded seconds per second."""
    start_offset_s: Annotated[float, option("S", "start-offset")] = 0.0
    """Skip this much at the start of the bag [s]."""
    duration_s: Annotated[float | None, option("S", "playback-duration", "--duration", default="to the end")] = None
    """Play this much of the recording [s]."""
    delay_s: Annotated[float, option("S", "delay", "-d")] = 0.0
    """Wait this long before every pass [s]."""
    topics: Annotated[tuple[str, ...], option("TOPIC [TOPIC ...]", default="all")] = ()
    """Play only these."""
    exclude: Annotated[tuple[str, ...], option("TOPIC [TOPIC ...]", "exclude-topics", "--exclude", default="none")] = ()
    """Do not play these."""
    renamed: Annotated[
        tuple[tuple[str, str], ...], several(_renaming, "OLD:=NEW"), option(None, "remap", "-m", default="none")
    ] = ()
    """Play topics under other names."""
    clock_hz: Annotated[float, option("[HZ]", "clock", default=f"no clock; without a number {_CLOCK_HZ}")] = 0.0
    """Publish recorded time on /clock at this rate [Hz]; a recorded /clock is then skipped."""
    loop: Annotated[bool, option(None, None, "-l")] = False
    """Start again at the end, until interrupted."""
    start_paused: Annotated[bool, option(None, None, "-p")] = False
    """Begin paused."""
    disable_keyboard_controls: Annotated[bool, _KEYBOARD] = False
    subscribers: Annotated[int, option("N", "wait-for-subscribers")] = 0
    """Start when a camera topic (without cameras: any) has N subscribers; not in ros2 bag play."""
    wait_s: Annotated[float, option("S", "wait-timeout")] = 60.0
    """Give up waiting for subscribers after this time [s]; not in ros2 bag play."""
    max_gap_s: Annotated[float, option("S", "max-gap")] = MAX_GAP_S
    """Skip gaps in the recording that are longer [s], and report them; 0: skip none; not in ros2 bag play."""

    def __post_init__(self):
        for name, number, positive in (
            ("--rate", self.rate, True),
            ("--start-offset", self.start_offset_s, False),
            ("--playback-duration", self.duration_s, True),
            ("--delay", self.delay_s, False),
            ("--clock", self.clock_hz, False),
            ("--wait-for-subscribers", self.subscribers, False),
            ("--wait-timeout", self.wait_s, True),
            ("--max-gap", self.max_gap_s, False),
        ):
            if number is not None and not (math.isfinite(number) and (number > 0 if positive else number >= 0)):
                raise ValueError(f"{name}: expected {'above 0' if positive else '0 or more'}, found {number:g}")

    @property
    def remap(self) -> dict[str, str]:
        """Other names of topics."""
        return dict(self.renamed)

    def chosen(self, there: Iterable[str]) -> list[str]:
        """Which of the bag's topics to play. Raises ReplayError if none is left or a name is unknown."""
        there = list(there)
        unknown = [name for name in self.topics if name not in there]
        if unknown:
            raise ReplayError(f"the bag has no topic {', '.join(unknown)} to play; it has {', '.join(there)}")
        chosen = [name for name in there if (not self.topics or name in self.topics) and name not in self.exclude]
        if self.clock_hz and CLOCK_TOPIC in chosen:
            chosen.remove(CLOCK_TOPIC)  # two clocks would conflict
        if not chosen:
            raise ReplayError(f"no topic is left to play; the bag has {', '.join(there) or 'none'}")
        return chosen


def parse_options(words: list[str]) -> PlayOptions:
    """Parse the command line, in which --clock need not have a number."""
    words = list(words)
    for index, (word, following) in enumerate(zip(words, [*words[1:], ""], strict=True)):
        if word == "--clock" and not following.replace(".", "", 1).isdecimal():
            words[index] = f"--clock={_CLOCK_HZ}"
    return parse(PlayOptions, "ros2 run wm_tools play_bag", words)


def split_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and those between --ros-args and -- for ROS.

    rclpy itself would treat every A:=B as a ROS argument, also that of --remap.
    """
    ours, ros, to_ros = [], [], False
    for word in words:
        if word == "--ros-args" or (to_ros and word == "--"):
            to_ros = word == "--ros-args"
            ros.append(word)
        else:
            (ros if to_ros else ours).append(word)
    return ours, ros

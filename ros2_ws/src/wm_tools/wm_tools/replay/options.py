"""What the user may ask of `play_bag`: the names and meanings of `ros2 bag play`, as far as ours has them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wm_planner.command_line import CommandParser

from wm_tools.common.bag_reading import add_reading_options
from wm_tools.common.errors import ReplayError
from wm_tools.replay.controls import HELP

CLOCK_TOPIC = "/clock"
MAX_GAP_S = 60.0
_CLOCK_HZ = 40.0  # of --clock without a number, as ros2 bag play has it


@dataclass(frozen=True)
class PlayOptions:
    """How to play. Raises ReplayError naming the option and its value where it makes no sense."""

    bag: Path
    rate: float = 1.0  # recorded seconds in a second
    start_offset_s: float = 0.0  # from the bag's first message
    duration_s: float | None = None  # recorded seconds; None: to the end
    delay_s: float = 0.0  # before every play
    topics: tuple[str, ...] = ()  # empty: all
    exclude: tuple[str, ...] = ()
    remap: dict[str, str] = field(default_factory=dict)
    clock_hz: float = 0.0  # 0: no clock of ours
    loop: bool = False
    start_paused: bool = False
    keyboard: bool = True  # where there is one
    subscribers: int = 0  # that a camera topic must have before it begins
    wait_s: float = 60.0  # for them
    max_gap_s: float = MAX_GAP_S  # a longer silence is skipped; 0: none is
    recover: bool = False  # play what is left of a damaged bag

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
                raise ReplayError(f"{name}: expected {'above 0' if positive else '0 or more'}, found {number:g}")

    def chosen(self, there: Iterable[str]) -> list[str]:
        """Which of the bag's topics to play. Raises ReplayError where nothing is left or a name is not there."""
        there = list(there)
        unknown = [name for name in self.topics if name not in there]
        if unknown:
            raise ReplayError(f"the bag has no topic {', '.join(unknown)} to play; it has {', '.join(there)}")
        chosen = [name for name in there if (not self.topics or name in self.topics) and name not in self.exclude]
        if self.clock_hz and CLOCK_TOPIC in chosen:
            chosen.remove(CLOCK_TOPIC)  # two clocks would contradict each other
        if not chosen:
            raise ReplayError(f"no topic is left to play; the bag has {', '.join(there) or 'none'}")
        return chosen


def parse_options(words: list[str]) -> PlayOptions:
    """Read the command line; ends the process with help or a message (exit code 2), as argparse does."""
    parser = CommandParser(
        "play_bag",
        description="Plays a bag (mcap, sqlite3, ROS 1) as `ros2 bag play` does, with the same options.",
        epilog="Services: ~/pause (std_srvs/SetBool) and ~/step (std_srvs/Trigger). See docs/replay.md.",
    )
    add = parser.add_argument
    add("bag", type=Path, metavar="BAG", help="file or folder")
    add("--rate", "-r", type=float, default=1.0, metavar="R", help="recorded seconds in a second (default: 1)")
    add(
        "--start-offset",
        dest="start_offset_s",
        type=float,
        default=0.0,
        metavar="S",
        help="begin so long after the bag's beginning",
    )
    add(
        "--playback-duration",
        "--duration",
        dest="duration_s",
        type=float,
        metavar="S",
        help="play so much of the recording (default: to its end)",
    )
    add("--delay", "-d", dest="delay_s", type=float, default=0.0, metavar="S", help="wait so long before every play")
    add("--topics", nargs="+", default=[], metavar="TOPIC", help="play these only")
    add(
        "--exclude-topics",
        "--exclude",
        dest="exclude",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="do not play these",
    )
    add(
        "--remap",
        "-m",
        nargs="+",
        action="extend",
        default=[],
        metavar="OLD:=NEW",
        help="play topics under other names",
    )
    add(
        "--clock",
        dest="clock_hz",
        type=float,
        nargs="?",
        const=_CLOCK_HZ,
        default=0.0,
        metavar="HZ",
        help="publish the times of recording on /clock, so often in a second; a recorded /clock is then left out",
    )
    add("--loop", "-l", action="store_true", help="begin again at the end, until it is interrupted")
    add("--start-paused", "-p", action="store_true", help="begin paused")
    add(
        "--disable-keyboard-controls",
        dest="keyboard",
        action="store_false",
        help=f"leave the keyboard alone; otherwise, in a terminal, {HELP}",
    )
    add(
        "--wait-for-subscribers",
        dest="subscribers",
        type=int,
        default=0,
        metavar="N",
        help="begin when a camera topic (without cameras: any) has N subscribers; not of ros2 bag play",
    )
    add(
        "--wait-timeout",
        dest="wait_s",
        type=float,
        default=60.0,
        metavar="S",
        help="give up when they are not there by then (default: 60); not of ros2 bag play",
    )
    add(
        "--max-gap",
        dest="max_gap_s",
        type=float,
        default=MAX_GAP_S,
        metavar="S",
        help=f"skip it where nothing was recorded for longer, and say so; 0: skip nothing (default: {MAX_GAP_S:g}); "
        f"not of ros2 bag play",
    )
    add_reading_options(parser, ("recover",))
    values = vars(parser.parse_args(words))
    try:
        remap = dict(_renaming(word) for word in values.pop("remap"))
        lists = {name: tuple(values.pop(name)) for name in ("topics", "exclude")}
        return PlayOptions(**values, **lists, remap=remap)
    except ReplayError as error:
        parser.error(str(error))


def split_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """Our own words, and those between --ros-args and -- for ROS.

    rclpy's own way would take every A:=B for ROS's, also that of --remap.
    """
    ours, ros, to_ros = [], [], False
    for word in words:
        if word == "--ros-args" or (to_ros and word == "--"):
            to_ros = word == "--ros-args"
            ros.append(word)
        else:
            (ros if to_ros else ours).append(word)
    return ours, ros


def _renaming(word: str) -> tuple[str, str]:
    old, separator, new = word.partition(":=")
    if not (separator and old.startswith("/") and new.startswith("/")):
        raise ReplayError(f"--remap: expected /old:=/new, found '{word}'")
    return old, new

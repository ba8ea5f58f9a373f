"""What the user may ask of `record`, checked before anything starts."""

import math
from dataclasses import dataclass
from pathlib import Path

from wm_planner.command_line import CommandParser

from wm_tools.common.errors import RecordError

SUFFIX = ".mcap"
QUEUE_MB = 256


@dataclass(frozen=True)
class RecordOptions:
    """One recording. Raises RecordError naming the option and its value where it makes no sense."""

    output: Path
    role_name: str = "ego_vehicle"
    topics: tuple[str, ...] = ()  # empty: those of a drive, see ``topics.is_wanted``
    max_seconds: float | None = None  # [s] from the first message on
    queue_mb: float = QUEUE_MB  # [MB] of messages that may wait for the disk

    def __post_init__(self):
        if self.output.suffix != SUFFIX:
            raise RecordError(f"--output: expected a file that ends with {SUFFIX}, found '{self.output}'")
        if self.output.exists():
            raise RecordError(f"--output: {self.output} exists already; name another file, or delete it")
        if self.partial.exists():
            raise RecordError(
                f"--output: {self.partial} was left by a recorder that was killed; save what it holds with "
                f"`ros2 run wm_training convert rosbag {self.partial} DEST --recover`, then delete it"
            )
        if not (self.role_name.isascii() and self.role_name.isidentifier()):
            raise RecordError(
                f"--role-name: expected a ROS name (a letter, then letters, digits and _), found '{self.role_name}'"
            )
        for topic in self.topics:
            if not topic.startswith("/"):
                raise RecordError(f"--topics: expected whole names that begin with /, found '{topic}'")
        for name, number in (("--max-seconds", self.max_seconds), ("--queue-mb", self.queue_mb)):
            if number is not None and not (math.isfinite(number) and number > 0.0):
                raise RecordError(f"{name}: expected above 0, found {number:g}")

    @property
    def partial(self) -> Path:
        """The file that is written to until the recording ends."""
        return self.output.with_name(self.output.name + ".part")


def parse_options(words: list[str]) -> RecordOptions:
    """Read the command line; ends the process with help or a message (exit code 2), as argparse does."""
    parser = CommandParser(
        "record",
        description="Records a drive's topics into one mcap file, until SIGINT, SIGTERM or the end of the simulator. "
        "Topics that come later are taken in.",
    )
    parser.add_argument("--output", "-o", type=Path, required=True, metavar="FILE.mcap", help="file to write")
    parser.add_argument(
        "--role-name", default="ego_vehicle", metavar="NAME", help="the car's name in its topics (default: ego_vehicle)"
    )
    parser.add_argument(
        "--topics",
        nargs="+",
        default=[],
        metavar="TOPIC",
        help="exactly these topics (default: cameras, status, odometry, imu, speedometer, collision, "
        "lane_invasion, step_result, expert_control, commands, planner/status, planner/imagined, "
        "planner/future of the car, /tf, /tf_static, /clock)",
    )
    parser.add_argument("--max-seconds", type=float, metavar="S", help="end so long after the first message")
    parser.add_argument(
        "--queue-mb",
        type=float,
        default=QUEUE_MB,
        metavar="MB",
        help=f"most that may wait for the disk; what is beyond is dropped and counted (default: {QUEUE_MB})",
    )
    values = vars(parser.parse_args(words))
    try:
        return RecordOptions(**{**values, "topics": tuple(values["topics"])})
    except RecordError as error:
        parser.error(str(error))

"""Command-line options of `record`, checked before anything starts."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from wm_bundle.vector_inputs import input_topics
from wm_evaluation.command_line import option

from wm_tools.record.topics import GLOBAL, OF_THE_CAR, OF_THE_PLANNER

SUFFIX = ".mcap"
_OF_A_DRIVE = (
    f"cameras, {', '.join(topic.leaf for topic in input_topics().values())}, {', '.join(OF_THE_CAR)}, commands, "
    f"{', '.join(OF_THE_PLANNER)} of the car, {', '.join(GLOBAL)}"
)


@dataclass(frozen=True)
class RecordOptions:
    """Records a drive's topics into one mcap file, until SIGINT, SIGTERM or the end of the simulator. Topics that
    appear later are recorded too."""

    output: Annotated[Path, option(f"FILE{SUFFIX}", None, "-o")]
    """File to write."""
    role_name: Annotated[str, option("NAME")] = "ego_vehicle"
    """The car's name in its topics."""
    topics: Annotated[tuple[str, ...], option("TOPIC [TOPIC ...]", default=_OF_A_DRIVE)] = ()
    """Record exactly these topics."""
    also: Annotated[tuple[str, ...], option("TOPIC [TOPIC ...]", default="none")] = ()
    """Record these topics too, such as those of signals of your own."""
    max_seconds: Annotated[float | None, option("S", default="no limit")] = None
    """Stop this long after the first message [s]."""
    queue_mb: Annotated[float, option("MB")] = 256.0
    """Size of the queue for the disk [MB]; messages beyond it are dropped and counted."""

    def __post_init__(self):
        if self.output.suffix != SUFFIX:
            raise ValueError(f"--output: expected a file that ends with {SUFFIX}, found '{self.output}'")
        if self.output.exists():
            raise ValueError(f"--output: {self.output} already exists; choose another file, or delete it")
        if self.partial.exists():
            raise ValueError(
                f"--output: {self.partial} was left by a recorder that was killed; save what it holds with "
                f"`ros2 run wm_training convert rosbag {self.partial} DEST --recover`, then delete it"
            )
        if not (self.role_name.isascii() and self.role_name.isidentifier()):
            raise ValueError(
                f"--role-name: expected a ROS name (a letter, then letters, digits and _), found '{self.role_name}'"
            )
        for name, topics in (("--topics", self.topics), ("--also", self.also)):
            for topic in topics:
                if not topic.startswith("/"):
                    raise ValueError(f"{name}: expected full names that begin with /, found '{topic}'")
        for name, number in (("--max-seconds", self.max_seconds), ("--queue-mb", self.queue_mb)):
            if number is not None and not (math.isfinite(number) and number > 0.0):
                raise ValueError(f"{name}: expected above 0, found {number:g}")

    @property
    def partial(self) -> Path:
        """The file written until the recording ends."""
        return self.output.with_name(self.output.name + ".part")

"""Options of `ros2 run wm_training convert`; see docs/conversion.md."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

import tyro
from wm_bundle.free_signals import SignalError, chosen_inputs
from wm_bundle.routes import is_route_input
from wm_bundle.vector_inputs import SPEED, VECTOR_INPUTS, YAW_RATE, VectorInput, converted_inputs
from wm_evaluation.command_line import option

from wm_data.conversion.pictures import CameraView, Fit
from wm_data.conversion.sources import SOURCES
from wm_data.rewards import NAME, PROGRESS_NAME, REWARDS

_WHEELBASE = (
    "that of the source's vehicle where it is known (docs/conversion_datasets.md), else 2.85, a passenger car's"
)


@dataclass(frozen=True, kw_only=True)
class BagRecovery:
    """Options of every command that reads bags."""

    recover: bool = False
    """Read the rest of a damaged bag: a truncated mcap or ROS 1 bag, a split one that lacks pieces, one with a damaged
    metadata.yaml."""


@dataclass(frozen=True, kw_only=True)
class BagReading(BagRecovery):
    """How a bag is read."""

    topics: Annotated[tuple[str, ...], option("KIND=TOPIC [KIND=TOPIC ...]", default="found by type")] = ()
    """Topics of a bag as KIND=TOPIC: control, status, odometry, imu, speedometer, collision, lane_invasion,
    step_result, expert, steering, speed_limit, gap, command, route; or as CAMERA=TOPIC."""
    actions: Literal["auto", "applied", "commanded", "derived"] = "auto"
    """Which actions to use: those the vehicle applied, those that were commanded, or those computed from its motion.
    auto: the first of these that the source has."""
    max_steer_deg: Annotated[float, option("DEGREES", None, "--max-steer")] = 70.0
    """Road wheel angle that steer 1 stands for [degrees], above 0 and below 90; 70 is that of CARLA's usual vehicle.
    Use one value for all data that are used together."""
    wheelbase: Annotated[float | None, option("METRES", default=_WHEELBASE)] = None
    """Distance between the axles [m], 0.05 to 20, for steer computed from a turn."""
    yaw_rate_factor: float = 1.0
    """What the yaw rate of a bag is multiplied by: -1 for a source that is positive to the right, as CARLA's own IMU
    of 0.9.16; 0.0174533 for degrees per second."""
    tolerance_ms: Annotated[float | None, option("MS", default="half a period")] = None
    """Longest time between a picture of the first camera and those of the others in a row [ms]."""
    target_speed: float = 8.0
    """Speed at which the reward of efficiency, or of progress, is full [m/s]."""
    route: Literal["none", "auto", "recorded", "hindsight"] = "none"
    """Route columns (docs/conversion.md): of the recorded route (a bag's nav_msgs/Path, and odometry), or in hindsight,
    of the path that was driven. auto: recorded where there is one, else in hindsight."""
    route_noise: float = 0.5
    """In hindsight: standard deviation of the route's shift to the side [m]; without it the vehicle would always be
    exactly on its route."""
    reward: Literal[tuple(REWARDS)] = NAME
    """The reward of a recording without one: driving-1, or driving-2, which has progress along the route instead of
    efficiency."""

    def __post_init__(self):
        for name in ("max_steer_deg", "target_speed"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")
        if not 0.0 <= self.route_noise <= 5.0:
            raise ValueError(f"route_noise is {self.route_noise:g} m, expected 0 to 5")
        if self.reward == PROGRESS_NAME and self.route == "none":
            raise ValueError(f"reward is {self.reward}, which needs the progress along a route: give --route too")
        if not self.yaw_rate_factor:
            raise ValueError("yaw_rate_factor is 0, expected another number")
        if not self.max_steer_deg < 90.0:
            raise ValueError(f"max_steer_deg is {self.max_steer_deg:g}, expected below 90")
        if self.wheelbase is not None and not 0.05 <= self.wheelbase <= 20.0:
            raise ValueError(f"wheelbase is {self.wheelbase:g} m, expected 0.05 to 20")
        if self.tolerance_ms is not None and self.tolerance_ms < 0.0:
            raise ValueError(f"tolerance_ms is {self.tolerance_ms:g}, expected 0 or more")

    def given(self) -> dict[str, Any]:
        """The options with non-default values, by name."""
        pairs = ((field, getattr(self, field.name)) for field in fields(BagReading))
        return {field.name: value for field, value in pairs if value != field.default}


@dataclass(frozen=True)
class ConvertOptions(BagReading):
    """Convert recordings and datasets into episodes (docs/conversion.md).

    Exit code: 0 all recordings are converted; 1 none is, or the conversion stopped early; 2 invalid arguments; 3 some
    failed, the others are converted; 130 stopped by a signal.
    """

    kind: Annotated[Literal[tuple(SOURCES)], tyro.conf.Positional]
    """Kind of the source."""
    source: Annotated[str, tyro.conf.Positional, option("SOURCE")]
    """File or folder to read; a folder may contain many recordings. Opened read-only."""
    dest: Annotated[str, tyro.conf.Positional, option("DEST")]
    """Folder for the episodes (*.npz), manifest.json and report.json."""
    rate: Annotated[float | None, option("HZ", default="as the first camera's pictures come")] = None
    """Rows per second [Hz]."""
    image_size: int = 64
    """Height and width of the pictures [px]."""
    cameras: Annotated[tuple[str, ...], option("NAME [NAME ...]", default="the source's usual front camera")] = ()
    """Cameras by name, in stacking order."""
    fit: Fit = "stretch"
    """How pictures become square: each side scaled separately, the middle cut out, or black bars."""
    crop: Annotated[tuple[int, int, int, int] | None, option("TOP LEFT HEIGHT WIDTH", default="none")] = None
    """Part of the source's pictures to cut out first [px]."""
    signals: Annotated[tuple[str, ...], option("NAME [NAME ...]", default="speed, yaw_rate where there are")] = ()
    """Vector inputs to take, all of them needed: names of docs/topics.md, or lines of a signals file."""
    signals_file: str = ""
    """YAML file with signals of your own (docs/topics.md); they are taken beside those of --signals."""
    signal_gaps: Annotated[tuple[str, ...], option("NAME [NAME ...]", default="none")] = ()
    """Vector inputs that rows may lack, for models that drive on without them: NaN there, instead of no row."""
    frame_rate: Annotated[float | None, option("HZ", default="20, Bench2Drive 10, carla_garage 4, where unknown")] = (
        None
    )
    """Frames per second [Hz], above 0 and at most 1000, of tables and tubs whose rows are numbered; replaces a time in
    them."""
    min_rows: int = 10
    """Episodes shorter than this are skipped [rows]."""
    max_rows: int = 2000
    """Longer drives are cut into episodes of at most this [rows]; it bounds the memory needed."""
    workers: int = 1
    """Worker processes; each converts one recording at a time."""
    executor: Literal["local", "ray"] = "local"
    """Where the workers run: on this machine, or on the Ray cluster at RAY_ADDRESS (without it: a local one)."""
    shard: str = "0/1"
    """I/N: convert only every N-th recording, starting with the I-th; for job arrays."""
    resume: bool = False
    """Resume a stopped conversion: recordings that are complete in DEST are not converted again."""
    report: Annotated[str | None, option("FILE.json", default="DEST/report.json")] = None
    """File for the report (*.json); a readable one is written next to it, as .txt."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("image_size", "min_rows", "max_rows", "workers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")
        for name, rate in (("rate", self.rate), ("frame_rate", self.frame_rate)):
            if rate is not None and not 0.0 < rate <= 1000.0:
                raise ValueError(f"{name} is {rate:g} Hz, expected above 0 and at most 1000")
        if not self.image_size <= 1024:
            raise ValueError(f"image_size is {self.image_size} px, expected at most 1024")
        if self.report is not None and not self.report.endswith(".json"):
            raise ValueError(f"report is {self.report!r}, expected a name that ends with .json")
        if self.max_rows < self.min_rows:
            raise ValueError(f"max_rows is {self.max_rows}, expected at least min_rows, {self.min_rows}")
        self.shard_of()
        self._check_signals()

    def inputs(self) -> dict[str, VectorInput]:
        """The vector inputs to take, by name, in the order of columns. Raises SignalError."""
        taken = chosen_inputs(self.signals, self.signals_file, converted_inputs())
        if self.route == "none" or any(map(is_route_input, taken)):
            return taken
        named = self.signals or [entry.name for entry in converted_inputs()]
        return chosen_inputs((*named, *filter(is_route_input, VECTOR_INPUTS)), self.signals_file, ())

    def asked(self) -> set[str]:
        """Names of the vector inputs that were asked for, rather than taken where they happen to be."""
        return set(chosen_inputs(self.signals, self.signals_file, ()))

    def needed(self) -> set[str]:
        """Names of those without which a recording cannot be converted."""
        return self.asked() - {*self.signal_gaps}

    def _check_signals(self) -> None:
        try:
            taken = self.inputs()
        except SignalError as error:
            raise ValueError(str(error)) from None
        if self.route == "none" and (derived := [name for name in taken if is_route_input(name)]):
            raise ValueError(f"signals has {derived[0]}, which is of a route: give --route too")
        allowed = [name for name in taken if name not in (SPEED.name, YAW_RATE.name)]
        if odd := [name for name in self.signal_gaps if name not in allowed]:
            raise ValueError(
                f"signal_gaps has {odd[0]}, expected some of {', '.join(allowed) or 'those of --signals'}: rewards and "
                f"actions need speed and yaw_rate"
            )

    def shard_of(self) -> tuple[int, int]:
        """(I, N) of ``shard``. Raises ValueError for an invalid one."""
        index, slash, count = self.shard.partition("/")
        if not (slash and index.isdecimal() and count.isdecimal() and int(index) < int(count)):
            raise ValueError(f"shard is {self.shard!r}, expected I/N with 0 <= I < N, as 0/4")
        return int(index), int(count)

    def view(self, camera: str) -> CameraView:
        return CameraView(camera, self.image_size, self.fit, self.crop)

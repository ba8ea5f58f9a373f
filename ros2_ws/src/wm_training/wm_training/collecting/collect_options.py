"""The command line of collect: what to record, and how."""

from dataclasses import dataclass
from typing import Literal

from wm_bundle.spawn_file import cameras_in

from wm_training.errors import CollectError


@dataclass(frozen=True)
class CollectOptions:
    """Record driving episodes from ROS topics."""

    episodes: int = 10
    """Total number of episodes in the folder at the end, so that the same call resumes. Existing ones count: with 3
    there and 5 requested, 2 are recorded."""
    episode_length: int = 500
    """Longest episode [rows]."""
    output_dir: str = "./data/world_model/train"
    """Folder for episode_NNNNNN.npz."""
    driver: Literal["autopilot", "noisy-autopilot", "slow-autopilot", "planner", "noisy-planner", "random"] = (
        "autopilot"
    )
    """Who drives: the autopilot, the planner, either of them disturbed by bursts, the disturbed autopilot held at
    shares of its usual speed, or smooth random commands."""
    seed: int = 0
    """Seed of the first episode: its track, where the simulator can be reset, and its noise. Then seed + 1 …"""
    noise_every: float = 2.0
    """Mean time between bursts of a noisy driver [s]."""
    noise_strength: float = 0.4
    """Mean standard deviation of a burst, in units of steer and throttle/brake."""
    slowest: float = 0.1
    """slow-autopilot: smallest share of its usual speed; each segment has its own, between this and 1."""
    slow_segment: float = 3.0
    """slow-autopilot: mean length of a segment [s]."""
    route: Literal["none", "recorded", "hindsight"] = "none"
    """Columns of a route beside the speed (docs/conversion.md): of the one that is published on waypoints, or of the
    path that is driven, in hindsight. Either needs odometry."""
    route_noise: float = 0.5
    """Route in hindsight: standard deviation of its shift to the side [m]."""
    signals: str = ""
    """Vector inputs beside the speed, separated by commas: names of docs/topics.md."""
    signals_file: str = ""
    """YAML file with signals of your own (docs/topics.md); they are recorded beside those of --signals."""
    signal_gaps: str = ""
    """Vector inputs that rows may lack, separated by commas: NaN there. A tick that lacks another ends the episode."""
    image_size: int = 64
    """Height and width the pictures are resized to [px]."""
    role_name: str = "ego_vehicle"
    """Name of the vehicle in the topics."""
    cameras: str = ""
    """Sensor ids of the cameras, separated by commas; empty: all of objects_definition_file, else rgb_front."""
    objects_definition_file: str = ""
    """Spawn file with which the simulator or CARLA's spawner was started."""
    camera_tolerance: float = 0.01
    """Several cameras: largest stamp difference of pictures that belong together [s]."""
    camera_deadline: float = 0.5
    """Several cameras: longest wait for the last picture of a moment [s of wall time]."""
    planner_node: str = "wm_planner"
    """Name of the planner's node, where it drives."""
    standstill: float = 5.0
    """If the planner drives: an episode ends when the car has stood still this long; 0: never [s]."""
    min_rows: int = 10
    """Episodes shorter than this are discarded [rows]."""
    timeout: float = 30.0
    """Longest time without a complete tick before giving up [s of wall time]."""
    start_timeout: float = 600.0
    """If the planner drives: longest wait for its first answer; TensorRT takes minutes once [s]."""

    def __post_init__(self):
        above_0 = (
            "episodes",
            "episode_length",
            "image_size",
            "min_rows",
            "timeout",
            "start_timeout",
            "noise_every",
            "slowest",
            "slow_segment",
            "camera_deadline",
        )
        for name in above_0:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")
        for name in ("seed", "noise_strength", "route_noise", "standstill", "camera_tolerance"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")
        if self.slowest > 1.0:
            raise ValueError(f"slowest is {self.slowest:g}, expected at most 1")

    def camera_names(self) -> tuple[str, ...]:
        """Sensor ids of the cameras to record. Raises CollectError and SpawnFileError."""
        named = tuple(name for name in self.cameras.split(",") if name)
        if not all(name.isascii() and name.isidentifier() for name in named) or len(set(named)) != len(named):
            raise CollectError(f"--cameras: expected different sensor ids separated by commas, found '{self.cameras}'")
        if not self.objects_definition_file:
            return named or ("rgb_front",)
        there = tuple(cameras_in(self.objects_definition_file, self.role_name))
        if missing := [name for name in named if name not in there]:
            raise CollectError(
                f"--cameras: expected some of {', '.join(there)}, the cameras in {self.objects_definition_file}, "
                f"found {', '.join(missing)}"
            )
        return named or there

    @property
    def with_planner(self) -> bool:
        """Whether the planner drives."""
        return self.driver in ("planner", "noisy-planner")

    @property
    def with_noise(self) -> bool:
        """Whether bursts disturb the driver."""
        return self.driver.startswith("noisy-") or self.slow

    @property
    def slow(self) -> bool:
        """Whether the driver is held below its usual speed."""
        return self.driver == "slow-autopilot"

    def told_of_driver(self) -> dict:
        """What an episode's meta says of who drove."""
        told: dict = {"driver": self.driver}
        if self.with_noise:
            told["noise"] = {"every_s": self.noise_every, "strength": self.noise_strength}
        if self.slow:
            told["slow"] = {"slowest": self.slowest, "segment_s": self.slow_segment}
        return told

"""The planner node's parameters: one frozen dataclass, every field with its meaning, unit and range."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from wm_bundle.processes.parameters import parameter, role_name_parameter, topic_parameter
from wm_bundle.vector_inputs import SPEED, YAW_RATE, Source, VectorInput
from wm_bundle.vehicle_commands.parameters import CommandParameters

from wm_planner.errors import ConfigError
from wm_planner.planning.costs import COSTS
from wm_planner.planning.costs.base import Cost
from wm_planner.planning.kinds import with_parameters_of
from wm_planner.planning.solvers import SOLVERS
from wm_planner.planning.solvers.sampling import FEWEST_CANDIDATES

IMAGE_TRANSPORTS = ("raw", "compressed")
RELIABILITIES = ("reliable", "best_effort")
ROUTES = ("auto", "off", "required")
ROUTE_SOURCES = ("path", "autoware")
PROVIDERS = ("auto", "tensorrt", "cuda", "cpu")
_live = partial(parameter, live=True)  # may change while driving, see ``assembly.retune``


@dataclass(frozen=True)
@with_parameters_of(*SOLVERS.values(), *COSTS)
class PlannerConfig(CommandParameters):
    """All parameters; those of one solver or cost are declared in its file."""

    refusal = ConfigError

    bundle: str = parameter("", "folder of the model bundle to drive with")
    proposal_policy: str = parameter(
        "", "policy file (.onnx) whose action is a candidate, or the command with the solver policy; empty: none"
    )
    role_name: str = role_name_parameter()
    image_topic: str = topic_parameter("camera images, {camera} stands for a camera's name", "{camera}/image")
    image_transport: str = parameter(
        "raw", "sensor_msgs/Image, or CompressedImage from <image_topic>/compressed", choices=IMAGE_TRANSPORTS
    )
    image_reliability: str = parameter(
        "reliable",
        "best_effort receives from best-effort publishers too, as most camera drivers are, but may lose large pictures",
        choices=RELIABILITIES,
    )
    camera_tolerance_ms: float = parameter(10.0, "largest stamp difference within a frame", "ms", 0.0, 1000.0)
    camera_deadline_ms: float = parameter(20.0, "how long a picture waits for the other cameras", "ms", 1.0, 1000.0)
    speed_source: str = parameter(
        "auto", "where the speed comes from; auto: the first available", choices=("auto", *SPEED.kinds)
    )
    yaw_rate_source: str = parameter(
        "odometry", "where the yaw rate comes from, for bundles that need one", choices=YAW_RATE.kinds
    )
    yaw_rate_factor: float = parameter(
        1.0, "what the yaw rate is multiplied by: -1 for a source that is positive to the right", "", -60.0, 60.0
    )
    preprocessed_images: bool = parameter(
        False, "images are already cropped and resized to the model's size, as in bags from to_bag"
    )
    status_topic: str = topic_parameter("vehicle status", "vehicle_status")
    odometry_topic: str = topic_parameter("odometry", "odometry")
    imu_topic: str = topic_parameter("IMU", "imu")
    speedometer_topic: str = topic_parameter("speedometer", "speedometer")
    route: str = parameter(
        "auto",
        "auto: follow a route with a bundle that has route inputs; required: with every bundle, and brake without one",
        choices=ROUTES,
    )
    route_source: str = parameter(
        "path",
        "what routes come as: nav_msgs/Path, or autoware_planning_msgs/Trajectory, where that is installed",
        choices=ROUTE_SOURCES,
    )
    route_topic: str = topic_parameter("routes", "waypoints")
    route_frame: str = parameter(
        "", "a frame of routes that is the same place as the odometry's, under another name; empty: none"
    )
    off_route_m: float = parameter(10.0, "brake farther than this from the route", "m", 0.5, 1000.0)
    off_route_s: float = parameter(
        1.0, "... or facing the other way, for this long; at once if the route is new", "s", 0.0, 60.0
    )
    arrival_m: float = parameter(1.5, "distance from the end of the route at which the vehicle arrives", "m", 0.1, 50.0)
    stop_deceleration: float = parameter(
        2.0, "with which the vehicle is stopped at the end of the route", "m/s^2", 0.1, 10.0
    )
    steering_topic: str = topic_parameter("the front wheels' angle", "steering_angle")
    speed_limit_topic: str = topic_parameter("speed limit", "speed_limit")
    gap_topic: str = topic_parameter("distance to the car ahead", "gap")
    command_topic: str = topic_parameter("CARLA's high-level commands", "high_level_command")
    signals_file: str = parameter("", "YAML file of signals whose topics the bundle tells differently, or not at all")
    step_result_topic: str = topic_parameter("step results", "step_result")
    planner_status_topic: str = topic_parameter("PlannerStatus", "planner/status")
    imagined_topic: str = topic_parameter("ImaginedRollouts", "planner/imagined")
    future_topic: str = topic_parameter("pictures of the imagined best future", "planner/future")
    candidates_topic: str = topic_parameter("candidates as markers", "planner/candidates")
    diagnostics_topic: str = parameter("/diagnostics", "diagnostics")
    vehicle_frame: str = parameter("base_link", "coordinate frame of the markers; CARLA's bridge calls it <role_name>")
    solver: str = _live("mppi", "how to search for a plan", choices=SOLVERS)
    candidates: int = _live(64, "plans imagined in one iteration, fewer when the deadline is near", low=8, high=4096)
    iterations: int = _live(2, "iterations of the search, fewer when the deadline is near", low=1, high=20)
    fit_search: bool = parameter(
        True,
        "search with fewer candidates and iterations where this machine has no time for all, as measured when the node "
        "is configured; never in lock-step",
    )
    return_lambda: float = _live(1.0, "weight of long roll-outs against early values", "", 0.0, 1.0)
    objective_reach: float = _live(
        2.0, "how far from the actor's throttle or brake a search for objectives may begin", "of -1..1", 0.0, 2.0
    )
    model_noise: float = _live(0.0, "scale of the model's noise in imagination; 0: the mean", "std", 0.0, 10.0)
    steer_slew: float = _live(0.4, "largest change of steer in one period", "of -1..1", 0.01, 2.0)
    longitudinal_slew: float = _live(1.0, "largest change of throttle minus brake in one period", "of -1..1", 0.01, 2.0)
    plan_retries: int = _live(1, "new searches when a plan fails its checks, before braking", low=0, high=5)
    cautious_costs: float = _live(3.0, "degraded: factor on the weight of every cost", "", 1.0, 100.0)
    cautious_throttle: float = _live(0.2, "degraded: largest throttle", "of 0..1", 0.0, 1.0)
    cautious_speed: float = _live(
        0.0,
        "degraded: no throttle above this speed; 0: the mean speed of the bundle's training data",
        "m/s",
        0.0,
        1000.0,
    )
    command_delay: int = parameter(
        0,
        "from an image to the first one that its command acts in, until measured from vehicle_status",
        "periods",
        0,
        20,
    )
    seed: int = parameter(0, "seed of the search", low=0, high=2**31 - 1)
    threads: int = parameter(1, "inference threads", low=1, high=256)
    provider: str = parameter(
        "auto", "execution provider; auto: the first of the others, in this order, that works", choices=PROVIDERS
    )
    fp16: bool = parameter(False, "let TensorRT compute in half precision; verify_bundle reports the loss of accuracy")
    engine_cache: str = parameter(
        "auto",
        "folder for TensorRT engines; auto: in the user's cache "
        "directory; off: rebuild at every start, which takes minutes",
    )
    engine_workspace_mb: int = parameter(1024, "memory that TensorRT may use for one layer", "MiB", 16, 65536)
    deadline_ms: float = _live(60.0, "time from an image's arrival to its command", "ms", 1.0, 10_000.0)
    deadline_frames: int = parameter(
        5,
        "brake after this many consecutive plans that missed the deadline; 0: never, as in lock-step runs",
        "images",
        0,
        1000,
    )
    surprise_frames: int = parameter(2, "degraded after this many surprising images", "images", 1, 1000)
    degraded_frames: int = parameter(2, "brake after this many more surprising images", "images", 1, 1000)
    recovery_frames: int = parameter(
        10, "consecutive good images that end a brake for surprise or missed deadlines", "images", 1, 1000
    )
    calm_share: float = parameter(
        0.4,
        "fraction of the surprise threshold below which an image is good enough to end a brake for surprise",
        "",
        0.01,
        1.0,
    )
    frozen_frames: int = parameter(
        3, "brake after this many repetitions of the same picture while moving", "images", 1, 1000
    )
    frozen_speed: float = parameter(0.5, "speed above which a repeated picture is a fault", "m/s", 0.0, 1000.0)
    frozen_throttle_s: float = parameter(
        0.5,
        "where no speed is known: full throttle for this long, or less for longer, "
        "since the last brake, after which a repeated picture is a fault",
        "s",
        0.01,
        1000.0,
    )
    image_timeout_s: float = parameter(
        0.25,
        "brake when no image arrived for this long; in lock-step only say so: the simulator waits longer",
        "s",
        0.02,
        10.0,
    )
    lock_step: bool = parameter(
        False, "the simulator waits for a command in every tick: send nothing but one answer to an image, in phase"
    )
    imagined_rate_hz: float = _live(5.0, "maximum rate of ImaginedRollouts", "Hz", 0.1, 100.0)
    autostart: bool = parameter(False, "configure and activate at once, without a lifecycle manager")

    def check(self) -> None:
        """See NodeParameters."""
        super().check()
        SOLVERS[self.solver].check(self)
        if not self.yaw_rate_factor:
            raise ConfigError("parameter yaw_rate_factor: expected another number than 0")
        if self.route_source == "autoware" and not self.route_topic:
            raise ConfigError(
                "parameter route_topic: expected the topic of the trajectory, as route_source is autoware"
            )
        if not self.engine_cache:
            raise ConfigError("parameter engine_cache: expected auto, off or a folder, found nothing")
        for cost in COSTS:
            if cost.several_futures and getattr(self, cost.name) > 0.0 and self.samples_that_fit < 2:
                raise ConfigError(
                    f"parameter candidates: expected at least {2 * FEWEST_CANDIDATES} with {cost.name} above 0, "
                    f"because every plan is then imagined more than once, found {self.candidates}"
                )

    @property
    def searches(self) -> bool:
        """Whether the solver searches, rather than returning the plan it was given."""
        return SOLVERS[self.solver].searches

    @property
    def answer_s(self) -> float:
        """In lock-step: the simulator waits for an answer for longer than this [s]."""
        return self.image_timeout_s

    @property
    def samples_that_fit(self) -> int:
        """``risk_samples``, or as many as leave enough candidates for a search."""
        return min(self.risk_samples, self.candidates // FEWEST_CANDIDATES)

    def futures_per_plan(self, costs: Sequence[Cost]) -> int:
        """Futures imagined of each plan: several where a cost compares them."""
        return self.samples_that_fit if any(cost.several_futures for cost in costs) else 1

    def sources(self, entry: VectorInput) -> tuple[Source, ...]:
        """Sources of a vector input, best first: the one of ``<its name>_source``, else all."""
        chosen = getattr(self, f"{entry.name}_source", "auto")
        sources = tuple(one for one in entry.sources if chosen in ("auto", one.topic.kind))
        return tuple(replace(one, factor=self.yaw_rate_factor) for one in sources) if entry is YAW_RATE else sources

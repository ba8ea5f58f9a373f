"""The parts of bag_replay.launch.py. Imports nothing that the Python of a real ROS 2 may lack."""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from wm_bundle.processes.ros_distribution import bag_play_leaves_topics_out
from wm_planner.config import PlannerConfig
from wm_planner.launching import arguments as launch_arguments

SLOWEST, FASTEST = 0.2, 20.0  # rates: below, a planner would treat pictures as missing although they are on time
RECORDED = "/recorded"  # namespace in which the planner's own recorded topics are played
_DELAY_S = 2.0  # for the publishers of ros2 bag play to find their subscribers
_OURS_ALONE = (".bag.active", ".mcap.part", ".zstd")  # files that only play_bag reads
_LISTENERS = 2  # per camera: the planner and the monitor
_OWN_TOPICS = ("control_topic", "planner_status_topic", "imagined_topic", "future_topic", "candidates_topic")


def planner_parameters(text: str, rate: float) -> dict[str, bool | int | float | str]:
    """The planner's parameters: those in ``text`` (NAME=VALUE, separated by spaces), and those that ``rate`` requires.

    Raises RuntimeError for a parameter or a rate that cannot be used.
    """
    if not SLOWEST <= rate <= FASTEST:
        raise RuntimeError(f"rate:={rate:g}: expected {SLOWEST:g} to {FASTEST:g}")
    # Played slowly, pictures come later in wall time, which the planner's timeout uses.
    timeout_s = PlannerConfig().image_timeout_s / min(rate, 1.0)
    return {"image_timeout_s": timeout_s, **launch_arguments.assignments(text)}


def remaps(role_name: str, parameters: dict) -> list[str]:
    """/old:=/new for each of the planner's own topics. Raises ConfigError for parameters that the planner refuses."""
    config = PlannerConfig.from_values({**parameters, "role_name": role_name})
    topics = [*map(config.topic, _OWN_TOPICS), config.diagnostics_topic]
    return [f"{topic}:={RECORDED}{topic}" for topic in topics]


def has_rosbag2(bag: str, clock_hz: float) -> bool:
    """Whether `ros2 bag play` is installed and can play this bag: never a ROS 1 bag, mcap only with its plugin, and
    with its own clock (``clock_hz`` not 0) only if it can exclude the bag's."""
    if clock_hz and not bag_play_leaves_topics_out():
        return False
    path = Path(bag)
    is_mcap = path.suffix == ".mcap" or any(path.glob("*.mcap"))
    try:
        for package in ("ros2bag", "rosbag2_transport", *(["rosbag2_storage_mcap"] if is_mcap else [])):
            get_package_prefix(package)
    except PackageNotFoundError:
        return False
    return not bag.endswith((".bag", *_OURS_ALONE))


def rosbag2_command(bag: str, rate: float, renamed: list[str], clock_hz: float) -> list[str]:
    """The `ros2 bag play` command for a replay. Raises RuntimeError for a clock that it cannot publish."""
    command = [
        "ros2",
        "bag",
        "play",
        bag,
        "--rate",
        f"{rate:g}",
        "--delay",
        f"{_DELAY_S:g}",
        "--disable-keyboard-controls",
        "--remap",
        *renamed,
    ]
    if clock_hz:
        if not bag_play_leaves_topics_out():
            raise RuntimeError(
                f"clock:={clock_hz:g}: `ros2 bag play` of this ROS cannot exclude the bag's /clock; use player:=own"
            )
        # two clocks would conflict
        command += ["--clock", f"{clock_hz:g}", "--exclude-topics", "/clock"]
    return command


def own_arguments(
    bag: str, rate: float, renamed: list[str], clock_hz: float, recover: bool, max_gap_s: float
) -> list[str]:
    """The arguments of play_bag for a replay."""
    clock = ["--clock", f"{clock_hz:g}"] if clock_hz else []
    return [
        bag,
        "--rate",
        f"{rate:g}",
        "--wait-for-subscribers",
        f"{_LISTENERS}",
        *clock,
        *(["--recover"] if recover else []),
        "--max-gap",
        f"{max_gap_s:g}",
        "--disable-keyboard-controls",
        "--remap",
        *renamed,
    ]

"""Which topics belong to a drive, and the quality of service to subscribe with."""

from collections.abc import Sequence

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from wm_bundle.vector_inputs import input_topics
from wm_bundle.vehicle_commands.messages import OUTPUTS

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
CAMERA_TYPES = (*IMAGES, "sensor_msgs/msg/CameraInfo")
OF_THE_CAR = ("collision", "lane_invasion", "step_result", "expert_control")  # besides the sources of vector inputs
OF_THE_PLANNER = ("planner/status", "planner/imagined", "planner/future")  # besides its commands
GLOBAL = ("/tf", "/tf_static", "/clock")
_DEPTH = 100  # queue depth: seconds of a drive, in case the process stalls


def is_wanted(topic: str, kind: str, role_name: str, chosen: Sequence[str], also: Sequence[str] = ()) -> bool:
    """Whether to record ``topic`` of message type ``kind``: one of ``chosen``, or if empty, one of a drive's; or one of
    ``also``."""
    if chosen or topic in also:
        return topic in (*chosen, *also)
    if topic in GLOBAL or topic in _commands(role_name):
        return True
    root = f"/carla/{role_name}/"
    if not topic.startswith(root):
        return False
    name = topic.removeprefix(root)
    named = {*OF_THE_CAR, *OF_THE_PLANNER, *(topic.leaf for topic in input_topics().values())}
    return name in named or (kind in CAMERA_TYPES and not name.startswith("planner/"))


def is_source(topic: str, role_name: str) -> bool:
    """Whether ``topic`` comes from the vehicle or its simulator: when all of these have ended, the drive is over."""
    root = f"/carla/{role_name}/"
    return topic not in {*GLOBAL, *_commands(role_name)} and topic.removeprefix(root) not in OF_THE_PLANNER


def _commands(role_name: str) -> set[str]:
    """The usual topics of commands, whatever their message."""
    return {output.topic.replace("{role_name}", role_name) for output in OUTPUTS.values()}


def matching_qos(offered: Sequence[QoSProfile]) -> QoSProfile:
    """The profile that matches all publishers and gets the most from each; ``offered`` has one profile for each."""
    reliable = all(qos.reliability == ReliabilityPolicy.RELIABLE for qos in offered)
    latched = all(qos.durability == DurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
    return QoSProfile(
        depth=_DEPTH,
        history=HistoryPolicy.KEEP_LAST,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )

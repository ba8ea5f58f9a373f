"""The differences between Humble, Jazzy, Kilted and Lyrical: for Python all are here, for the shell in
scripts/ros_underlay.sh.

Imports ROS only when needed, and nothing that a real ROS 2's own Python may lack.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def name() -> str:
    """Name of the ROS distribution in use, ``unknown`` where the environment does not tell."""
    return os.environ.get("ROS_DISTRO", "unknown")


def is_humble() -> bool:
    """Whether the ROS 2 in use is Humble."""
    return os.environ.get("ROS_DISTRO") == "humble"


def discovery(domain_id: int) -> dict[str, str]:
    """Variables for a process in the domain, with discovery limited to this machine."""
    only_here = {"ROS_LOCALHOST_ONLY": "1"} if is_humble() else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return {"ROS_DOMAIN_ID": str(domain_id), **only_here}


def local_environment(domain_id: int) -> dict[str, str]:
    """This process's variables for a child in the domain, with discovery limited to this machine."""
    variables = {**os.environ, **discovery(domain_id)}
    variables.pop("ROS_STATIC_PEERS", None)  # peers that would be contacted anyway; Humble has no such list
    return variables


def dds_profiles_variable() -> str:
    """Name of the variable for a file of Fast DDS's XML profiles. Fast DDS 3, of Kilted and later, renamed it; there
    rmw_fastrtps still reads the old one, with a warning in every node."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    is_3 = any(Path(prefix, "share/fastdds").is_dir() for prefix in prefixes if prefix)
    return "FASTDDS_DEFAULT_PROFILES_FILE" if is_3 else "FASTRTPS_DEFAULT_PROFILES_FILE"


def event_callbacks() -> tuple[type, type]:
    """rclpy's PublisherEventCallbacks and SubscriptionEventCallbacks."""
    try:
        from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
    except ImportError:  # Humble's name of the module
        from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks
    return PublisherEventCallbacks, SubscriptionEventCallbacks


def with_times(callback: Callable[[Any, dict], None]) -> Callable:
    """A callback for ``create_subscription`` that gets the message and, in rclpy's MessageInfo, when it was sent and
    received. Humble's rclpy has neither: there both are the time at which the message is taken.
    """
    from rclpy.subscription import Subscription

    if hasattr(Subscription, "CallbackType"):
        return callback

    def take(message: Any) -> None:
        now_ns = time.time_ns()
        callback(message, {"source_timestamp": now_ns, "received_timestamp": now_ns})

    return take


def bag_play_leaves_topics_out() -> bool:
    """Whether `ros2 bag play` has the option --exclude-topics; Humble lacks it."""
    return not is_humble()

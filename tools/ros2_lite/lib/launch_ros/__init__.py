"""The part of ROS 2's `launch_ros` that this project's launch files use; for ros2_lite only."""

from ros2_lite.errors import refuse_unknown_name


def __getattr__(name: str):
    refuse_unknown_name(__name__, name)

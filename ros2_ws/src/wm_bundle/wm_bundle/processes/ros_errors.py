"""Readable messages from ROS's exceptions."""


def reason_of(error: Exception) -> str:
    """The first line of an exception of rclpy without locations in rcl's sources, plus a remedy where one is known."""
    reason = (str(error) or type(error).__name__).splitlines()[0].split(", at /")[0]
    if "log directory" in reason:
        reason += "; set ROS_LOG_DIR to a folder that can be written"
    return reason

"""`ros2 param get` and `ros2 param set`: the parameters of a running node."""

from __future__ import annotations

import contextlib

from ros2_lite.errors import CommandError

WAIT_S = 5.0  # longest wait, first for the node and then for its answer


def get(node_name: str, name: str) -> str:
    """The value of a parameter, as `ros2 param get` shows it. Raises CommandError."""
    values = _ask(node_name, lambda client: client.get_parameters([name])).values
    from rclpy.parameter import Parameter

    value = next((value for value in values if value.type != Parameter.Type.NOT_SET.value), None)
    if value is None:
        raise CommandError(f"{node_name} has no parameter {name}, or it is not set")
    kind = Parameter.Type(value.type)
    words = "values are" if kind.name.endswith("ARRAY") else "value is"
    content = Parameter.from_parameter_msg(_message(name, value)).value
    content = list(content) if words == "values are" else content
    return f"{kind.name.removesuffix('_ARRAY').capitalize()} {words}: {content}"


def set_to(node_name: str, name: str, text: str) -> str:
    """Sets a parameter to a value written as YAML. Raises CommandError with the node's reason if it refuses."""

    def question(client):
        from rclpy.parameter import get_parameter_value

        return client.set_parameters([_message(name, get_parameter_value(string_value=text))])

    (result,) = _ask(node_name, question).results
    if not result.successful:
        raise CommandError(f"Setting parameter failed: {result.reason}")
    return "Set parameter successful"


def _message(name: str, value):
    from rcl_interfaces.msg import Parameter

    return Parameter(name=name, value=value)


@contextlib.contextmanager
def _graph():
    """The ROS client library, which is imported late: the other commands do not wait for it."""
    import rclpy

    rclpy.init()
    try:
        yield rclpy
    finally:
        rclpy.try_shutdown()


def _ask(node_name: str, question):
    """The answer of a node's parameter services to one question."""
    with _graph() as rclpy:
        from rclpy.parameter_client import AsyncParameterClient

        node = rclpy.create_node("_ros2_lite", start_parameter_services=False, enable_rosout=False)
        client = AsyncParameterClient(node, node_name)
        if not client.wait_for_services(WAIT_S):
            raise CommandError(f"no node {node_name} was found within {WAIT_S:g} s")
        future = question(client)
        rclpy.spin_until_future_complete(node, future, timeout_sec=WAIT_S)
        if not future.done():
            raise CommandError(f"{node_name} did not answer within {WAIT_S:g} s")
        return future.result()

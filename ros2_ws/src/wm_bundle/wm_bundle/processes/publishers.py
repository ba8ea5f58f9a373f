"""Who publishes on topics: the names of nodes, and a search before a program has a node of its own, a launch file."""

import time
from collections.abc import Sequence

DISCOVERY_S = 2.0  # on an idle machine a tenth of it is enough
UNNAMED = "_NODE_NAME_UNKNOWN_"  # rmw's name for an endpoint whose node is not discovered yet


def publishers_of(topics: Sequence[str], wait_s: float = DISCOVERY_S) -> dict[str, list[str]]:
    """The nodes that publish on each of the topics, if any do; looks until it finds one, for ``wait_s`` at most."""
    import rclpy  # only needed with a graph
    from rclpy.signals import SignalHandlerOptions

    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = rclpy.create_node("looking_for_publishers", context=context, start_parameter_services=False)
        deadline_s = time.monotonic() + wait_s
        found, named = {}, False
        while not (found and named) and time.monotonic() < deadline_s:
            time.sleep(0.1)
            infos = {topic: node.get_publishers_info_by_topic(topic) for topic in topics}
            found = {topic: sorted({full_name(info) for info in of}) for topic, of in infos.items() if of}
            named = not any(UNNAMED in name for names in found.values() for name in names)
        node.destroy_node()
        return found
    finally:
        rclpy.try_shutdown(context=context)


def full_name(endpoint) -> str:
    """The node of an endpoint (rclpy's TopicEndpointInfo), with its namespace."""
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"

"""What is wrong on the other side of a node's topics, seen on a real graph within this process."""

import time

import graph
import pytest
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Float32
from wm_planner.errors import ConfigError
from wm_planner.node.endpoints import COMMAND_WATCHDOG, NEWEST, RELIABLE, Endpoints

BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


@pytest.fixture
def domain() -> int:
    return graph.fresh_domain_id()


@pytest.fixture
def nodes(domain):
    """A function that makes nodes of one graph; the planner's own is in another participant, as in another process."""
    with graph.rclpy_context(domain) as context:
        made = []
        yield lambda name: made.append(rclpy.create_node(name, context=context)) or made[-1]
        for node in made:
            node.destroy_node()


@pytest.fixture
def endpoints(domain):
    with graph.rclpy_context(domain) as context:
        node = rclpy.create_node("wm_planner", context=context)
        endpoints = Endpoints(node)
        endpoints.publisher(Bool, "/command", RELIABLE, alone=True)
        endpoints.subscription(Float32, "/speed", lambda message: None, RELIABLE)
        endpoints.subscription(Float32, "/picture", lambda message: None, NEWEST["reliable"], "; remedy")
        endpoints.subscription(Float32, "/any_picture", lambda message: None, NEWEST["best_effort"], "; remedy")
        yield endpoints
        endpoints.destroy()
        node.destroy_node()


def look_until(endpoints, expected: list[str]) -> None:
    """Until just these faults are there, each given by its beginning; discovery takes its time."""

    def as_expected() -> bool:
        return len(endpoints.faults) == len(expected) and all(map(str.startswith, endpoints.faults, expected))

    deadline_s = time.monotonic() + 20.0
    endpoints.look()
    while not as_expected():
        assert time.monotonic() < deadline_s, endpoints.faults
        time.sleep(0.05)
        endpoints.look()


def test_another_publisher_of_commands_is_a_rival_also_with_the_same_name_but_not_the_watchdog(nodes, endpoints):
    nodes(COMMAND_WATCHDOG).create_publisher(Bool, "/command", 10)
    nodes("wm_planner").create_publisher(Bool, "/command", 10)
    look_until(endpoints, ["/command: /wm_planner publishes commands too; only one may drive"])
    nodes("joystick").create_publisher(Bool, "/command", 10)
    look_until(endpoints, ["/command: /joystick, /wm_planner publishes commands too"])


def test_a_quality_of_service_or_a_type_that_does_not_fit_is_named_and_one_that_does_is_not(nodes, endpoints):
    other = nodes("other")
    other.create_publisher(Float32, "/any_picture", 10)  # reliable to best effort: fits
    other.create_publisher(Float32, "/picture", 10)
    other.create_subscription(Bool, "/command", lambda message: None, BEST_EFFORT)  # the other way round: fits
    slow = other.create_publisher(Float32, "/speed", BEST_EFFORT)
    look_until(endpoints, ["/speed: nothing arrives from /other, it publishes with an incompatible quality of service"])
    other.destroy_publisher(slow)
    look_until(endpoints, [])
    other.create_publisher(Bool, "/speed", 10)
    look_until(endpoints, ["/speed: nothing arrives from /other, it publishes std_msgs/msg/Bool, expected std_msgs/"])


def test_a_topic_that_is_to_have_two_types_is_refused_in_one_line_until_all_are_destroyed(endpoints):
    for make in (endpoints.subscription, lambda kind, topic, _, qos: endpoints.publisher(kind, topic, qos)):
        with pytest.raises(ConfigError, match="topic speed .* two types, std_msgs/msg/Float32 and std_msgs/msg/Bool"):
            make(Bool, "speed", lambda message: None, RELIABLE)
    endpoints.subscription(Float32, "/speed", lambda message: None, RELIABLE)
    endpoints.destroy()
    endpoints.subscription(Bool, "/speed", lambda message: None, RELIABLE)


def test_two_vehicles_on_the_same_topics_are_told_in_one_line_also_of_one_node(nodes, endpoints):
    bridge = nodes("bridge")
    for topic in ("/picture", "/speed", "/picture"):
        second = bridge.create_publisher(Float32, topic, 10)
    look_until(endpoints, ["/picture: published by /bridge and /bridge at once; do two vehicles have the same name?"])
    bridge.create_publisher(Float32, "/speed", 10)
    look_until(endpoints, ["/speed, /picture: published by /bridge and /bridge at once"])
    bridge.destroy_publisher(second)
    look_until(endpoints, ["/speed: published by"])


def test_of_a_best_effort_publisher_of_pictures_it_is_told_what_to_do_and_that_helps(nodes, endpoints):
    other = nodes("other")
    for topic in ("/picture", "/any_picture"):
        other.create_publisher(Float32, topic, BEST_EFFORT)
    look_until(
        endpoints, ["/picture: nothing arrives from /other, it publishes with an incompatible quality of service"]
    )
    assert endpoints.faults[0].endswith("; remedy")


def test_what_others_find_is_among_the_faults(endpoints):
    endpoints.others = lambda: ["images are lost"]
    look_until(endpoints, ["images are lost"])
    endpoints.others = list
    look_until(endpoints, [])

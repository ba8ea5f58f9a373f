"""Parameters of a node: declared, checked, described and guarded from one dataclass."""

from dataclasses import dataclass

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from wm_bundle.processes.parameters import (
    ChangingParameters,
    ParameterError,
    VehicleParameters,
    declare,
    help_text,
    parameter,
    role_name_parameter,
    topic_parameter,
)


@dataclass(frozen=True)
class Toy(VehicleParameters):
    role_name: str = role_name_parameter()
    timeout_s: float = parameter(0.2, "brake after so long", "s", 0.02, 60.0)
    count: int = parameter(3, "how many", low=1, high=9, live=True)
    kind: str = parameter("a", "which one", choices=("a", "b"))
    where: str = parameter("auto", "which way", choices=("auto", "off"))
    topic_name: str = topic_parameter("a topic", "its/leaf")
    loud: bool = parameter(False, "whether it is loud")
    cameras: tuple[str, ...] = parameter((), "several words")


@pytest.fixture
def make():
    """Makes a node with parameters given as words of the command line."""
    context = Context()
    rclpy.init(context=context)
    nodes = []

    def node(*given):
        words = ["--ros-args", *(word for one in given for word in ("-p", one))]
        nodes.append(Node("toy", context=context, cli_args=words, automatically_declare_parameters_from_overrides=True))
        return nodes[-1]

    yield node
    for one in nodes:
        one.destroy_node()
    rclpy.try_shutdown(context=context)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"cuont": 1}, r"^unknown parameter cuont; did you mean count\?$"),
        ({"zzz": 1}, "^unknown parameter zzz; known are role_name, timeout_s, count, kind, where, topic_name, "),
        ({"timeout_s": 0.0}, "^parameter timeout_s: expected 0.02 to 60.0 s, found 0.0$"),
        ({"timeout_s": float("nan")}, "timeout_s: expected 0.02 to 60.0 s, found nan"),
        ({"count": 10}, "^parameter count: expected 1 to 9, found 10$"),
        ({"count": 2.0}, r"^parameter count: expected int, found float \(2.0\)$"),
        ({"count": True}, r"expected int, found bool \(True\)"),
        ({"kind": False}, r"expected str, found bool \(False\); YAML takes off, yes and numbers for"),
        ({"where": True}, "expected str, found bool"),
        ({"kind": "c"}, "^parameter kind: expected one of a, b, found 'c'$"),
        ({"role_name": "a b"}, "^parameter role_name: expected a ROS name .* found 'a b'$"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(values, message):
    with pytest.raises(ParameterError, match=message):
        Toy.from_values(values)


def test_a_whole_number_is_accepted_for_a_float():
    assert type(Toy.from_values({"timeout_s": 1}).timeout_s) is float


def test_off_without_quotes_is_the_choice_off_though_yaml_reads_false():
    assert Toy.from_values({"where": False}).where == "off"


def test_topics_follow_the_role_name_unless_given():
    assert Toy(role_name="fleet/car_1").topic("topic_name") == "/carla/fleet/car_1/its/leaf"
    assert Toy(role_name="hero").topic("none_such", "odometry") == "/carla/hero/odometry"
    assert Toy(topic_name="/mine").topic("topic_name") == "/mine"


def test_a_node_declares_what_was_given_and_the_defaults(make):
    node = make("timeout_s:=1", "kind:=b", "use_sim_time:=false", "cameras:=[left, right]")
    assert declare(node, Toy) == Toy(timeout_s=1.0, kind="b", cameras=("left", "right"))
    assert list(node.get_parameter("cameras").value) == ["left", "right"]
    assert {name: node.get_parameter(name).value for name in ("timeout_s", "count", "kind")} == {
        "timeout_s": 1.0,
        "count": 3,
        "kind": "b",
    }
    timeout, count, kind = node.describe_parameters(["timeout_s", "count", "kind"])
    assert timeout.description == "brake after so long [s]" and timeout.read_only
    assert (timeout.floating_point_range[0].from_value, timeout.floating_point_range[0].to_value) == (0.02, 60.0)
    assert count.description == "how many; may change while driving" and count.integer_range[0].to_value == 9
    assert kind.additional_constraints == "one of a, b"


def test_a_node_refuses_what_does_not_exist(make):
    with pytest.raises(ParameterError, match="unknown parameter cuont; did you mean count"):
        declare(make("cuont:=1"), Toy)


def test_configured_only_live_parameters_change_and_all_or_none(make):
    applied, configured = [], False

    def apply(config):
        if config.count == 7:
            raise ParameterError("parameter count: not 7")
        applied.append(config)

    node = make()
    guarded = ChangingParameters(node, Toy, lambda: configured, apply)

    def change(**values):
        result = node.set_parameters_atomically([Parameter(name, value=value) for name, value in values.items()])
        return "" if result.successful else result.reason

    assert change(kind="b") == "" and guarded.config.kind == "b" and applied == []
    configured = True
    assert change(count=5) == "" and guarded.config.count == 5 and applied == [guarded.config]
    assert change(kind="a", count=6).startswith("read-only while the node is configured: kind; clean the node up first")
    assert change(count=7) == "parameter count: not 7"
    assert "out of range" in change(count=10)  # rclpy says so itself
    assert (guarded.config.count, guarded.config.kind) == (5, "b")


def test_the_help_names_every_parameter():
    text = help_text(Toy, "ros2 run wm_toys toy", "Plays.")
    assert text.startswith(
        "usage: ros2 run wm_toys toy --ros-args -p NAME:=VALUE ...\n\nPlays.\n\nparameters (those with *"
    )
    assert "  timeout_s              brake after so long [s] 0.02..60.0; default 0.2" in text
    assert " *count                  how many 1..9; default 3" in text and "which one a|b; default 'a'" in text

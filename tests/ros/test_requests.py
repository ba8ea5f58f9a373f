"""No request ends a node: every service of every node, asked for what it cannot do, answers and the node goes on."""

import re
import time
from pathlib import Path

import graph
import pytest
import rclpy
from builtin_interfaces.msg import Time
from lifecycle_msgs.srv import ChangeState
from odd_messages import odd_messages
from odd_requests import UNKNOWN_TYPE, ask, odd_requests
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from tiny_bundle import make_tiny_bundle
from wm_bundle.processes.service_guard import guard_services
from wm_planner.command_watchdog.node import CommandWatchdogNode
from wm_planner.node.planner_node import PlannerNode
from wm_sim.bridge import Bridge
from wm_tools.benchmark.disturber_node import DisturberNode
from wm_tools.drive.recorder_node import RecorderNode as DriveRecorderNode
from wm_tools.drive.records import EpisodeCollector
from wm_tools.live_view.node import LiveViewNode
from wm_tools.record.node import RecorderNode
from wm_tools.record.record_options import RecordOptions
from wm_tools.replay.controls import Controls, offer_services
from wm_tools.replay.monitor_node import ReplayMonitor
from wm_tools.replay.replay_monitor_options import MonitorOptions
from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.node import CollectNode

SOURCES = Path(__file__).parents[2] / "ros2_ws" / "src"


@pytest.fixture(scope="module")
def domain():
    return graph.fresh_domain_id()


@pytest.fixture(scope="module")
def own_context(domain, tmp_path_factory):
    """The context of the nodes, as in their processes the default one."""
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("requests") / "bundle")
    relay = {
        "simulator_images": "[/sim/image]",
        "planner_images": "[/planner/image]",
        "simulator_control": "/sim/c",
        "planner_control": "/planner/c",
        "disturbance": "image_noise",
        "size": "10.0",
        "period_s": "0.08",
        "lock_step": "true",
        "seed": "0",
    }
    given = {"wm_planner:bundle": bundle, "wm_planner:candidates": 16, "carla_ros_bridge:wait_for_driver": "0.0"}
    given |= {f"wm_disturber:{name}": value for name, value in relay.items()}
    words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    with graph.default_context(domain, ["test", "--ros-args", *words]):
        yield


@pytest.fixture(scope="module")
def asker(domain):
    """A node in another participant, as in another process, and a function that spins it."""
    with graph.rclpy_context(domain) as context:
        node, executor = rclpy.create_node("asker", context=context), SingleThreadedExecutor(context=context)
        executor.add_node(node)
        yield node, lambda: executor.spin_once(timeout_sec=0.005)
        executor.shutdown()
        node.destroy_node()


def active_planner() -> PlannerNode:
    node = PlannerNode()
    node.trigger_configure()
    node.trigger_activate()
    return node


def live_view() -> LiveViewNode:
    node = LiveViewNode()
    node.listen()
    return node


def play_bag():
    node = rclpy.create_node("play_bag")
    offer_services(node, Controls())
    return node


def drive_recorder() -> DriveRecorderNode:
    node = DriveRecorderNode(rclpy.get_default_context(), "ego_vehicle", "rgb_front", EpisodeCollector(0.08), None)
    node.listen_to_planner()
    node.listen_to_camera()
    return node


NODES = {
    "planner": active_planner,
    "command_watchdog": CommandWatchdogNode,
    "bridge": lambda: Bridge([]),
    "live_view": live_view,
    "record": lambda: RecorderNode(RecordOptions(Path("never.mcap")), recording=None),
    "disturber": DisturberNode,
    "drive": drive_recorder,
    "replay_monitor": lambda: ReplayMonitor(MonitorOptions(Path("bag"), Path("bundle"), Path("out")), []),
    "collect": lambda: CollectNode(CollectOptions(driver="planner"), ("rgb_front",)),
    "play_bag": play_bag,
}


@pytest.fixture(params=NODES)
def node(own_context, request):
    made = NODES[request.param]()
    if made.executor is None:
        executor = SingleThreadedExecutor()
        executor.add_node(made)
    yield made
    made.executor.shutdown()
    made.destroy_node()


def test_every_service_answers_every_odd_request_and_the_node_goes_on(node, asker):
    asking, spin_asker = asker

    def spin():
        node.executor.spin_once(timeout_sec=0.0)  # an exception here is what ends a process
        spin_asker()

    parameters = [name for name in node._parameters if not name.startswith("qos")]
    parameters = parameters[:: max(1, len(parameters) // 5)]  # of all types
    for service in list(node.services):
        client = asking.create_client(service.srv_type, service.service_name)
        assert client.wait_for_service(20.0)
        for request in odd_requests(service.srv_type, parameters):
            answer = ask(client, request, spin)
            if service.srv_type is SetParameters:
                assert len(answer.results) == len(request.parameters)
                unknown = [one.value.type >= UNKNOWN_TYPE for one in request.parameters]
                assert not any(result.successful for result, odd in zip(answer.results, unknown, strict=True) if odd)
                assert all(result.reason for result, odd in zip(answer.results, unknown, strict=True) if odd)
            elif service.srv_type is SetParametersAtomically and any(
                one.value.type >= UNKNOWN_TYPE for one in request.parameters
            ):
                assert not answer.result.successful and "77" in answer.result.reason or "255" in answer.result.reason
            elif service.srv_type is ChangeState:
                assert not answer.success
        asking.destroy_client(client)


def test_every_topic_takes_every_odd_message_and_the_node_goes_on(node, asker):
    asking, spin_asker = asker
    lasting = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    for subscription in list(node.subscriptions):
        publisher = asking.create_publisher(subscription.msg_type, subscription.topic_name, lasting)
        while not publisher.get_subscription_count():
            spin_asker()
        for message in odd_messages(subscription.msg_type):
            publisher.publish(message)
            for _ in range(3):
                node.executor.spin_once(timeout_sec=0.01)
        asking.destroy_publisher(publisher)


@pytest.mark.parametrize("from_the_start", [True, False])
def test_a_clock_before_zero_is_no_time_and_the_node_goes_on(own_context, asker, from_the_start):
    asking, spin_asker = asker
    simulated = Parameter("use_sim_time", value=True)
    node = rclpy.create_node("simulated", parameter_overrides=[simulated] if from_the_start else [])
    guard_services(node)
    node.set_parameters([simulated])
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    publisher = asking.create_publisher(Clock, "/clock", 10)
    while not publisher.get_subscription_count():
        spin_asker()
    deadline_s = time.monotonic() + 20.0
    for second, odd in enumerate(odd_messages(Clock), start=1):
        for _ in range(3):
            publisher.publish(odd)
            executor.spin_once(timeout_sec=0.02)  # an exception here is what ends a process
        while node.get_clock().now().nanoseconds != second * 1_000_000_000:
            assert time.monotonic() < deadline_s, "a sound time is taken"
            publisher.publish(Clock(clock=Time(sec=second)))
            executor.spin_once(timeout_sec=0.02)
    asking.destroy_publisher(publisher)
    executor.shutdown()
    node.destroy_node()


def test_every_node_of_the_project_is_guarded():
    for file in SOURCES.rglob("*.py"):
        text = file.read_text()
        made = "rclpy.create_node(" in text and re.search(r"spin|Executor", text)  # one that is not spun serves nobody
        if made or re.search(r"^class \w+\((Lifecycle)?Node\):", text, re.MULTILINE):
            assert "guard_services(" in text or "offer_services(" in text, file  # the latter guards

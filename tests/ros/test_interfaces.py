"""carla_msgs and ackermann_msgs must be the real packages' on the wire: ROS 2 Jazzy connects no types whose hashes
differ."""

import importlib
import time

import graph
import pytest
import rclpy
from wm_bundle.processes.ros_distribution import is_humble

REAL_HASHES = {
    "ackermann_msgs/AckermannDrive": "acf287a224a947dd1b0b87d6d76cdb73f497b0237b8fc73be2173b2ebbb82c99",
    "ackermann_msgs/AckermannDriveStamped": "48ca7612a08d3bb72744fd98b71b7cf2ea24c6ad50fa4e1aa0bbad963c90d8cf",
    "carla_msgs/CarlaCollisionEvent": "d77acb472c5effb98998bfb2e176ae3ffac0a84ce33a79f90e999544e3fcfeff",
    "carla_msgs/CarlaControl": "7053e4e9ec21223b8f3a67944cc19fac0e419791a87e59438a56ba9efce2a9ac",
    "carla_msgs/CarlaEgoVehicleControl": "4f251fa2a554e8ed996f77eb1d5b65515af1369eceb04d5122cb5761f7801be3",
    "carla_msgs/CarlaEgoVehicleInfo": "b8dc3866014924ce7fe57e0cff05a5448ec18f27156656b3b1b69f4da558e956",
    "carla_msgs/CarlaEgoVehicleInfoWheel": "63caae9f2637752b93a616b10e00d21be15ca32cac533efd3596349a5cf4d4fe",
    "carla_msgs/CarlaEgoVehicleStatus": "3565cc74470f5c37eb316a36426effd811ac1baf835df3fc2bb7a88574bb3e07",
    "carla_msgs/CarlaLaneInvasionEvent": "ec4d0e28a97c4a7952a100d47a801996d0463ad7fe0e08a96049de4b19656508",
    "carla_msgs/CarlaStatus": "a3f7fb6fc4b673840e0c092c3c9e52a8120885ba603e0125a23f58ac279c0c13",
    "carla_msgs/CarlaWorldInfo": "b7093c2a34078b682bef09c0e60c76b06542f8ab4ea69756f9505ca06655e9ab",
}


@pytest.fixture(scope="module")
def node():
    with graph.rclpy_context(graph.fresh_domain_id()) as context:
        node = rclpy.create_node("interfaces", context=context)
        yield node
        node.destroy_node()


def hash_on_the_wire(node, message_name: str) -> str:
    """The type hash that a publisher of `message_name`, package/type, announces to the graph."""
    package, name = message_name.split("/")
    message = getattr(importlib.import_module(f"{package}.msg"), name)
    publisher = node.create_publisher(message, f"/hash/{message_name}", 1)
    deadline = time.monotonic() + 10.0
    while not (endpoints := node.get_publishers_info_by_topic(publisher.topic_name)):
        assert time.monotonic() < deadline, f"the graph shows no publisher on {publisher.topic_name} after 10 s"
        time.sleep(0.02)
    return str(endpoints[0].topic_type_hash)


@pytest.mark.skipif(is_humble(), reason="this ROS 2 has no type hashes")
@pytest.mark.parametrize("message_name", REAL_HASHES)
def test_type_hash_is_the_real_package_s(node, message_name):
    assert hash_on_the_wire(node, message_name) == f"RIHS01_{REAL_HASHES[message_name]}"


def test_constants_are_the_bridge_s():
    messages = importlib.import_module("carla_msgs.msg")
    assert (messages.CarlaControl.PLAY, messages.CarlaControl.PAUSE, messages.CarlaControl.STEP_ONCE) == (0, 1, 2)
    event = messages.CarlaLaneInvasionEvent
    markings = (event.LANE_MARKING_OTHER, event.LANE_MARKING_BROKEN, event.LANE_MARKING_SOLID)
    assert markings == (0, 1, 2)

"""The watch on CARLA's bridge as a process of its own, on a real graph; and who is there before a launch."""

import graph
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleStatus, CarlaStatus
from wm_bundle.processes.publishers import publishers_of

TOPIC = "/carla/hero/vehicle_status"


@pytest.fixture
def domain() -> int:
    return graph.fresh_domain_id()


@pytest.fixture
def bridge(domain):
    with graph.rclpy_context(domain) as context:
        node = rclpy.create_node("carla_ros_bridge", context=context)
        yield node
        node.destroy_node()


def test_a_second_car_of_the_same_name_ends_the_watch_with_one_line(domain, bridge):
    watch = graph.start("wm_tools", "carla_watch", "--ros-args", "-p", "role_name:=hero", domain_id=domain)
    with watch:
        bridge.create_publisher(CarlaStatus, "/carla/status", 10)
        cars = [bridge.create_publisher(CarlaEgoVehicleStatus, TOPIC, 10) for _ in range(2)]
        assert watch.wait(30.0) == 1
        assert "2 cars are named hero" in watch.output() and len(cars) == 2, watch.output()


def test_the_watch_ends_with_an_interrupt(domain):
    with graph.start("wm_tools", "carla_watch", domain_id=domain) as watch:
        with graph.rclpy_context(domain) as context:
            node = rclpy.create_node("looks", context=context)
            while not node.count_subscribers("/carla/status"):
                assert watch.process.poll() is None, watch.output()
            node.destroy_node()
        assert watch.stop() == 0, watch.output()


def test_who_publishes_is_seen_without_a_node_of_ones_own(domain, bridge):
    bridge.create_publisher(CarlaEgoVehicleStatus, TOPIC, 10)
    with graph.domain_variables(domain):
        assert publishers_of(("/carla/status", TOPIC), 10.0) == {TOPIC: ["/carla_ros_bridge"]}
        assert publishers_of(("/carla/status",), 0.3) == {}

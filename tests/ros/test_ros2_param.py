"""`ros2 param` of tools/ros2_lite, against the parameters of a running node."""

import subprocess
import sys
import threading
from pathlib import Path

import graph
import pytest
import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import SingleThreadedExecutor

ROS2 = Path(__file__).parents[2] / "tools/ros2_lite/ros2"


class Driver:
    """A node /driver with a list `rates` and a `speed` that may not be negative, in a domain of its own."""

    def __init__(self, context, domain_id: int) -> None:
        self._domain_id = domain_id
        self.node = rclpy.create_node("driver", context=context)
        self.node.declare_parameter("speed", 3.0)
        self.node.declare_parameter("rates", [1.0, 2.0])
        self.node.add_on_set_parameters_callback(self._judge)

    @staticmethod
    def _judge(changes) -> SetParametersResult:
        negative = any(change.name == "speed" and change.value < 0 for change in changes)
        return SetParametersResult(successful=not negative, reason="below zero")

    def param(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of `ros2 param …`."""
        environment = graph.environment(self._domain_id)
        command = [sys.executable, ROS2, "param", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
        output = done.stdout + done.stderr
        assert "Traceback" not in output, output
        return done.returncode, output.strip()


@pytest.fixture(scope="module")
def driver():
    domain_id = graph.fresh_domain_id()
    with graph.rclpy_context(domain_id) as context:
        driver = Driver(context, domain_id)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(driver.node)
        thread = threading.Thread(target=executor.spin, daemon=True)
        thread.start()
        yield driver
        executor.shutdown()
        thread.join(timeout=5)
        driver.node.destroy_node()


def test_a_parameter_is_read_and_set(driver):
    assert driver.param("get", "/driver", "speed") == (0, "Double value is: 3.0")
    assert driver.param("set", "/driver", "speed", "4.5") == (0, "Set parameter successful")
    assert driver.node.get_parameter("speed").value == 4.5
    assert driver.param("get", "/driver", "rates") == (0, "Double values are: [1.0, 2.0]")


def test_a_refused_value_is_told_with_the_node_s_reason(driver):
    code, output = driver.param("set", "/driver", "speed", "-1.0")
    assert code == 1 and output == "ros2 param: error: Setting parameter failed: below zero"
    assert driver.node.get_parameter("speed").value >= 0


def test_a_parameter_and_a_node_that_are_not_there_are_named(driver):
    assert driver.param("get", "/driver", "colour") == (
        1,
        "ros2 param: error: /driver has no parameter colour, or it is not set",
    )
    code, output = driver.param("get", "/nobody", "speed")
    assert code == 1 and "no node /nobody was found within 5 s" in output

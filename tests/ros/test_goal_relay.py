"""The relay of goals as a process of its own, on a real graph."""

import time

import graph
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile


def goal(x: float, frame: str = "map") -> PoseStamped:
    message = PoseStamped()
    message.header.frame_id = frame
    message.pose.position.x, message.pose.orientation.w = x, 1.0
    return message


def test_a_goal_of_rviz_reaches_who_plans_and_one_of_another_frame_does_not():
    domain = graph.fresh_domain_id()
    with (
        graph.rclpy_context(domain) as context,
        graph.start("wm_tools", "goal_relay", "--ros-args", "-p", "role_name:=hero", domain_id=domain) as relay,
    ):
        node = rclpy.create_node("rviz", context=context)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        got = []
        node.create_subscription(PoseStamped, "/carla/hero/goal", got.append, QoSProfile(depth=10))
        pointed = node.create_publisher(PoseStamped, "/goal_pose", QoSProfile(depth=10))

        def until(holds) -> None:
            deadline_s = time.monotonic() + 40.0
            while not holds():
                assert time.monotonic() < deadline_s, relay.output()
                executor.spin_once(timeout_sec=0.05)

        until(lambda: pointed.get_subscription_count() and node.count_publishers("/carla/hero/goal"))
        pointed.publish(goal(1.0, "odom"))
        until(lambda: "in the frame 'odom', expected 'map'" in relay.output())
        while not got:  # that we know of the relay does not mean that it knows of us
            pointed.publish(goal(7.0))
            executor.spin_once(timeout_sec=0.2)
            until(lambda: "a goal at (7.0, 0.0)" in relay.output())
        assert {message.pose.position.x for message in got} == {7.0}
        assert relay.stop() == 0
        executor.shutdown()
        node.destroy_node()

"""A source of the yaw rate with the wrong sign is told in the log and on /diagnostics of a real graph."""

import time

import graph
import pytest
from carla_msgs.msg import CarlaEgoVehicleStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from failsafe_rig import GOOD, ROOT, START_S, Rig, picture, stamp_of, start_planner
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from tiny_bundle import make_tiny_bundle
from town_drive import town
from wm_bundle import VectorSpec

TICK_S = 0.015  # of wall time: faster than the stamps


@pytest.mark.parametrize(
    ("factor", "level"), [("1.0", DiagnosticStatus.WARN), ("-1.0", DiagnosticStatus.OK)], ids=["as sent", "corrected"]
)
def test_a_left_handed_odometry_is_a_warning_until_the_factor_corrects_it(tmp_path, factor, level):
    bundle = make_tiny_bundle(tmp_path / "bundle", vector=(VectorSpec("yaw_rate", "rad/s", 0.0, 1.0),))
    domain, lines = graph.fresh_domain_id(), []
    with graph.rclpy_context(domain) as context, start_planner(domain, bundle, f"yaw_rate_factor:={factor}") as planner:
        rig = Rig(context)
        odometry = rig.node.create_publisher(Odometry, f"{ROOT}/odometry", QoSProfile(depth=10))
        rig.node.create_subscription(DiagnosticArray, "/diagnostics", lambda told: lines.extend(told.status), 10)
        deadline_s = time.monotonic() + START_S
        while not lines:
            rig.executor.spin_once(timeout_sec=0.1)
            assert time.monotonic() < deadline_s, planner.output()
        for tick, (steer, speed, yaw_rate) in enumerate(town(14), 1):
            status, told, stamp = CarlaEgoVehicleStatus(velocity=speed), Odometry(), stamp_of(tick)
            status.header.stamp = told.header.stamp = stamp
            status.control.steer, told.twist.twist.angular.z = steer, -yaw_rate
            rig.vehicle.publish(status)
            odometry.publish(told)
            answered = len(rig.commands)
            rig.images.publish(picture(GOOD, stamp, tick))
            begin_s = time.monotonic()
            # A busy machine's planner would lose pictures, and turns with them, if the next one did not wait for it.
            while (past_s := time.monotonic() - begin_s) < TICK_S or (len(rig.commands) == answered and past_s < 1.0):
                rig.executor.spin_once(timeout_sec=0.001)
        lines.clear()
        deadline_s = time.monotonic() + START_S
        while not (found := [line for line in lines if line.name == "wm_planner: yaw rate"]):
            rig.executor.spin_once(timeout_sec=0.1)
            assert time.monotonic() < deadline_s, lines
        rig.close()
        assert found[0].level == level, found[0].message
        assert ("multiply yaw_rate_factor by -1" in planner.output()) == (level == DiagnosticStatus.WARN)

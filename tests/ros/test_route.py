"""Routes in a real graph: latched and changing ones, every fault of a route with its time to the brake, and the end."""

import math
import time

import graph
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from failsafe_rig import PERIOD_S, ROOT, START_S, Rig, stamp_of, start_planner
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from rclpy.qos import DurabilityPolicy, QoSProfile
from timing import limit_s
from tiny_bundle import make_tiny_bundle
from wm_bundle import VectorSpec
from wm_msgs.msg import PlannerStatus

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # as CARLA's waypoint publisher
VOLATILE = QoSProfile(depth=1)  # as Nav2's planner
AHEAD = [(5.0 * k, 0.0) for k in range(61)]
RESPONSE_S = 0.3


class RouteRig(Rig):
    """A rig whose vehicle tells its place with every tick, unless ``place`` is None."""

    def __init__(self, context):
        super().__init__(context)
        self.place: tuple[float, float, float] | None = (0.0, 0.0, 0.0)
        self.frame = "map"
        self.speed = 5.0
        self._odometry = self.node.create_publisher(Odometry, f"{ROOT}/odometry", QoSProfile(depth=10))
        self.routes = None
        self.lines = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_lines, QoSProfile(depth=10))

    def _on_lines(self, message) -> None:
        self.lines |= {line.name: line for line in message.status}

    def line(self, task: str) -> DiagnosticStatus:
        """The planner's last line on /diagnostics of this task, or an empty one."""
        return self.lines.get(f"wm_planner: {task}", DiagnosticStatus())

    def publish_routes(self, qos: QoSProfile) -> None:
        if self.routes is not None:
            self.node.destroy_publisher(self.routes)
        self.routes = self.node.create_publisher(Path, f"{ROOT}/waypoints", qos)

    def route(self, points=AHEAD, frame="map") -> float:
        """Send a route; returns when [s]."""
        message = Path()
        message.header.frame_id = frame
        for x, y in points:
            pose = PoseStamped()
            pose.pose.position.x, pose.pose.position.y = float(x), float(y)
            message.poses.append(pose)
        self.routes.publish(message)
        return time.monotonic()

    def _tick_if_due(self) -> None:
        if time.monotonic() >= self._due_s and self.place is not None:
            x, y, yaw = self.place
            message = Odometry()
            message.header.frame_id = self.frame
            message.header.stamp = stamp_of(self.tick + 1)
            message.pose.pose.position.x, message.pose.pose.position.y = x, y
            message.pose.pose.orientation.z, message.pose.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
            message.twist.twist.linear.x = self.speed
            self._odometry.publish(message)
        super()._tick_if_due()

    def until_mode(self, mode: int) -> PlannerStatus:
        begin = len(self.statuses)
        self.until(lambda: any(message.mode == mode for _, message in self.statuses[begin:]), START_S)
        return self.statuses[-1][1]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Its only input is the vehicle's distance from the route."""
    vector = (VectorSpec("route_offset", "m", 0.0, 1.0),)
    return make_tiny_bundle(tmp_path_factory.mktemp("route") / "bundle", vector=vector)


@pytest.fixture(scope="module")
def domain():
    return graph.fresh_domain_id()


@pytest.fixture(scope="module")
def rig(domain):
    with graph.rclpy_context(domain) as context:
        rig = RouteRig(context)
        yield rig
        rig.close()


@pytest.fixture(scope="module")
def planner(rig, domain, bundle):
    """A planner that finds a route which was sent before it came."""
    rig.publish_routes(LATCHED)
    rig.route()
    with start_planner(domain, bundle) as process:
        yield process


@pytest.fixture
def driving(rig, planner):
    """The rig, with everything well."""
    rig.place, rig.frame, rig.speed = (0.0, 0.0, 0.0), "map", 5.0
    rig.change()
    rig.route()
    rig.until_driving()
    return rig


def expect_brake(rig, fault_s: float, reason: str, after_s: float = 0.0) -> None:
    """A brake for this reason, within the documented time after ``after_s``."""
    _, took_s = rig.brake_after(fault_s, reason)
    print(f"\n{reason}: {1000.0 * took_s:.0f} ms")
    assert after_s <= took_s < limit_s(after_s + RESPONSE_S)


def test_a_latched_route_that_was_sent_before_is_followed_and_told(driving):
    status = driving.statuses[-1][1]
    assert (status.route_offset_m, status.route_left_m) == (0.0, 300.0)
    driving.place = (40.0, 2.0, 0.0)
    driving.until(lambda: driving.statuses[-1][1].route_left_m == 260.0)
    assert driving.statuses[-1][1].route_offset_m == 2.0
    driving.until(lambda: "260 m left" in driving.line("route").message, START_S)
    assert driving.line("route").level == b"\x00"


def test_lost_odometry(driving):
    driving.place = None
    fault_s = driving.change()
    expect_brake(driving, fault_s, "no /carla/ego_vehicle/odometry at or shortly before", 2 * PERIOD_S)
    assert driving.images_answered_before_brake() == 2
    driving.place = (0.0, 0.0, 0.0)
    driving.until_driving()


@pytest.mark.parametrize(
    ("points", "frame", "reason"),
    [
        ([(x, y + 230.0) for x, y in AHEAD], "map", "230.0 m away from the new route"),
        ([(-x, y) for x, y in AHEAD], "map", "behind the vehicle"),
        (AHEAD, "odom", "the route is in the frame 'odom', the odometry in 'map'"),
        ([(0.0, 0.0), (math.nan, 0.0)], "map", "point 1 of 2 is no position"),
        ([(3.0, 3.0)], "map", "two distinct points"),
        ([], "map", "the route is empty"),
    ],
)
def test_a_bad_route(driving, points, frame, reason):
    expect_brake(driving, driving.route(points, frame), reason)
    driving.route()
    driving.until_driving()


@pytest.mark.parametrize("place", [(5.0, 15.0, 0.0), (5.0, 0.0, 3.0)])
def test_off_the_route_or_turned_around(driving, place):
    driving.place = place
    expect_brake(driving, driving.change(), "15.0 m away from its route" if place[1] else "behind the vehicle", 1.0)
    driving.place = (5.0, 0.0, 0.0)
    driving.until_driving()


def test_the_end_of_the_route(driving):
    driving.place, driving.speed = (299.0, 0.0, 0.0), 0.2
    fault_s = driving.change()
    _, took_s = driving.brake_after(fault_s, "arrived, 1.0 m before the end", PlannerStatus.MODE_ARRIVED)
    print(f"\narrived: {1000.0 * took_s:.0f} ms")
    assert took_s < limit_s(RESPONSE_S)
    driving.run_for(1.0)
    assert driving.last(1)[0][0] == PlannerStatus.MODE_ARRIVED and not driving.moved_since(fault_s + took_s)
    driving.route([(299.0, 0.0), (399.0, 0.0)])
    driving.until_driving()


def test_a_route_that_changes_every_second_is_followed_without_a_brake(driving):
    driving.publish_routes(VOLATILE)
    driving.until(lambda: driving.routes.get_subscription_count() >= 1, START_S)
    driving.run_for(0.5)
    begin = len(driving.statuses)
    for second in range(4):
        driving.place = (5.0 * second, 0.0, 0.0)
        driving.route([(5.0 * second + 0.2, 0.0), (200.0, 1.0)])
        driving.run_for(1.0)
    since = [message for _, message in driving.statuses[begin:]]
    assert {message.mode for message in since} == {PlannerStatus.MODE_DRIVING}
    assert since[-1].route_left_m == pytest.approx(200.0 - 15.2, abs=0.5)
    assert driving.line("topics").level == b"\x00", driving.line("topics").message
    driving.publish_routes(LATCHED)


def test_no_route_although_one_is_required_and_the_type_of_routes_that_is_not_installed(rig, domain, tmp_path):
    plain = make_tiny_bundle(tmp_path / "bundle")
    elsewhere = ("route:=required", "route_topic:=/plan")
    with start_planner(domain, plain, *elsewhere, "route_source:=autoware") as process:
        assert process.wait(START_S) == 2
        assert "route_source: autoware needs the package autoware_planning_msgs" in process.output()
    rig.change()
    begin_s = time.monotonic()
    with start_planner(domain, plain, *elsewhere):
        rig.brake_after(begin_s, "no route on /plan, which the parameter route needs", timeout_s=START_S)
        status = rig.statuses[-1][1]
        assert math.isnan(status.route_offset_m) and math.isnan(status.route_left_m)

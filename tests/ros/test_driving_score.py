"""What a simulator tells of a drive through its topics becomes its driving score, and what is wrong is named."""

import math
import re
import time

import graph
import pytest
from carla_msgs.msg import CarlaCollisionEvent, CarlaEgoVehicleStatus
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Header
from wm_bundle.times import NS_PER_S
from wm_msgs.msg import StepResult
from wm_sim.messages import time_from_ns
from wm_tools.benchmark.episode_figures import episode_figures
from wm_tools.benchmark.recorder_node import EventRecorderNode
from wm_tools.benchmark.status_collector import StatusCollector
from wm_tools.drive.records import EpisodeCollector

PERIOD_S, STEPS, TIMEOUT_S = 0.08, 20, 20.0
CAR = "/carla/ego_vehicle"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def header(step: int) -> Header:
    return Header(frame_id="map", stamp=time_from_ns(NS_PER_S + round(step * PERIOD_S * NS_PER_S)))


class Simulator(Node):
    """Sends what a test wants of it; the car drives 1 m along x in every step."""

    def __init__(self, context, sends_steps: bool):
        super().__init__("made_simulator", context=context)
        self._status = self.create_publisher(CarlaEgoVehicleStatus, f"{CAR}/vehicle_status", 50)
        self._odometry = self.create_publisher(Odometry, f"{CAR}/odometry", 50)
        self._collisions = self.create_publisher(CarlaCollisionEvent, f"{CAR}/collision", 50)
        self._steps = self.create_publisher(StepResult, f"{CAR}/step_result", 50) if sends_steps else None
        self._waypoints = self.create_publisher(Path, f"{CAR}/waypoints", LATCHED)

    def heard(self) -> bool:
        needed = (self._status, self._odometry, self._collisions, self._waypoints, self._steps)
        return all(one.get_subscription_count() for one in needed if one)

    def send_route(self, *points: tuple[float, float]) -> None:
        path = Path(header=header(0), poses=[PoseStamped() for _ in points])
        for place, (x, y) in zip(path.poses, points, strict=True):
            place.pose.position.x, place.pose.position.y = x, y
        self._waypoints.publish(path)

    def send(self, step: int, hits: bool = False, **told) -> None:
        odometry = Odometry(header=header(step))
        odometry.pose.pose.position.x, odometry.pose.pose.orientation.w = float(step), 1.0
        self._odometry.publish(odometry)
        status = CarlaEgoVehicleStatus(header=header(step), velocity=12.5)
        status.orientation.w = 1.0
        self._status.publish(status)
        if hits:
            self._collisions.publish(CarlaCollisionEvent(header=header(step), other_actor_id=7))
        if self._steps:
            self._steps.publish(StepResult(header=header(step), truncated=step == STEPS, **told))


@pytest.fixture
def meet():
    """A function that gives a simulator and a recorder that hear each other, and one that spins until something."""
    with graph.rclpy_context(graph.fresh_domain_id()) as context:
        executor = SingleThreadedExecutor(context=context)

        def spin_until(condition) -> None:
            deadline = time.monotonic() + TIMEOUT_S
            while not condition():
                assert time.monotonic() < deadline, "timed out"
                executor.spin_once(timeout_sec=0.05)

        def make(collector):
            simulator = Simulator(context, sends_steps=not isinstance(collector, StatusCollector))
            recorder = EventRecorderNode(context, "ego_vehicle", "rgb_front", collector)
            executor.add_node(simulator)
            executor.add_node(recorder)
            spin_until(simulator.heard)
            return simulator, recorder, spin_until

        yield make
        executor.shutdown()


def test_a_stream_of_step_results_has_a_driving_score(meet):
    collector = EpisodeCollector(PERIOD_S)
    simulator, recorder, spin_until = meet(collector)
    recorder.note_events()
    collector.begin(1)
    begun = {5: ["red_light"], 9: ["collision_layout"]}
    for step in range(STEPS + 1):
        close = 1.0 if step > 15 else math.inf
        told = {"infractions": begun.get(step, []), "route_completion": step / 40, "time_to_collision_s": close}
        simulator.send(step, hits=step in (9, 10, 11), **told)
        spin_until(lambda step=step: recorder.bad_message or collector.ticks > step)
    spin_until(lambda: len(collector.close()[0].positions) == STEPS + 1)
    assert recorder.bad_message is None
    figures = episode_figures(collector.close()[0], PERIOD_S, "town")
    assert figures["driving_score"] == pytest.approx(50 * 0.70 * 0.65, rel=1e-5)
    assert figures["close_share"] == pytest.approx(0.25) and figures["collisions"] == 1  # one contact of three ticks
    assert figures["collisions_per_km"] == pytest.approx(50.0) and figures["distance_m"] == pytest.approx(20.0)
    assert figures["lane_invasions_per_km"] is None  # the car has no such sensor


@pytest.mark.parametrize(
    "told, said",
    [
        ({"infractions": ["red_lights"]}, "step result: expected infractions among .*found 'red_lights'"),
        ({"route_completion": 40.0}, "step result: expected a route_completion of 0 to 1 or NaN, found 40"),
    ],
)
def test_a_step_result_that_means_nothing_is_named(meet, told, said):
    collector = EpisodeCollector(PERIOD_S)
    simulator, recorder, spin_until = meet(collector)
    collector.begin(1)
    simulator.send(0, **told)
    spin_until(lambda: recorder.bad_message)
    assert re.match(said, recorder.bad_message)


def test_without_step_results_the_waypoints_tell_how_far_it_came(meet):
    collector = StatusCollector(PERIOD_S, STEPS)
    simulator, recorder, spin_until = meet(collector)
    simulator.send_route((0.0, 0.0))
    simulator.send_route((-20.0, 0.0), (80.0, 0.0))
    spin_until(lambda: recorder.route)
    recorder.note_events()
    collector.begin(None)
    for step in range(STEPS + 2):
        simulator.send(step)
        spin_until(lambda step=step: collector.episode_over or collector.ticks > step)
    spin_until(lambda: collector.episode_over and len(collector.close()[0].positions) >= STEPS)
    figures = episode_figures(collector.close()[0], PERIOD_S, "Town01", route=recorder.route)
    assert figures["route_completion"] == pytest.approx(19.0, abs=1.1) and figures["route_deviations"] == 0.0
    assert figures["driving_score"] is None and figures["collisions_per_km"] == 0.0

"""Routes while driving: where they lead, their faults, and the stop at their end."""

import dataclasses
import math

import numpy as np
import pytest
from fake_pilot import PERIOD_NS, assert_brakes, frame, make_pilot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wm_bundle import VectorSpec
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError, PlannerError
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.decision import BRAKE
from wm_planner.pilot.guide import Guide, slowed
from wm_planner.pilot.modes import Mode
from wm_planner.pilot.preflight import check_route

STRAIGHT = np.array([[0.0, 0.0], [300.0, 0.0]])
ROUTE_INPUTS = tuple(
    VectorSpec(name, unit, 0.0, 1.0)
    for name, unit in (("route_5m_x", "m"), ("route_5m_y", "m"), ("route_offset", "m"), ("route_heading", "rad"))
)


@pytest.fixture
def routed(manifest):
    """A bundle that needs the speed and the route."""
    return dataclasses.replace(manifest, vector=(*manifest.vector, *ROUTE_INPUTS))


class Drive:
    """A vehicle with odometry and a camera in step."""

    def __init__(self, engine, clock, manifest, **parameters):
        self.pilot, self.clock, self.tick = make_pilot(engine, clock, manifest, **parameters), clock, 0
        self.engine = engine

    def route(self, points=STRAIGHT, frame="map"):
        self.pilot.guide.take_route(np.asarray(points, float), frame)

    def __call__(self, x, y=0.0, yaw=0.0, speed=5.0, odometry=True, frame_id="map", twist=None):
        self.tick += 1
        stamp = self.tick * PERIOD_NS
        self.clock.advance(0.08)
        self.pilot.take("speed", Sample(stamp, speed, (0.0, 0.0, 0.0)))
        if odometry:
            self.pilot.guide.take_odometry(stamp, frame_id, (x, y, yaw), speed if twist is None else twist)
        return self.pilot.decide(frame(self.clock, self.tick))


@pytest.fixture
def driving(engine, clock, routed):
    drive = Drive(engine, clock, routed)
    drive.route()
    assert drive(0.0).mode is Mode.DRIVING
    return drive


def test_the_model_gets_the_route_at_the_odometrys_place(driving):
    decision = driving(10.0, y=2.0, yaw=0.1)
    assert decision.mode is Mode.DRIVING and decision.plan is not None
    seen = driving.engine.observed[-1].vector
    assert seen == pytest.approx(
        [5.0, 5 * math.cos(0.1) - 2 * math.sin(0.1), -5 * math.sin(0.1) - 2 * math.cos(0.1), 2.0, 0.1]
    )
    assert driving.pilot.guide.view.left == pytest.approx(290.0)


def test_odometry_of_any_rate_serves(driving):
    for k in range(200):  # 2.5 kHz
        driving.pilot.guide.take_odometry(PERIOD_NS + k * 400_000, "map", (0.002 * k, 0.0, 0.0), 5.0)
    assert driving(0.4, odometry=False).mode is Mode.DRIVING
    assert driving.pilot.guide.view.place == pytest.approx(0.398)
    assert driving(0.8, odometry=False).mode is Mode.DRIVING  # one may be lost


def test_lost_odometry_brakes_with_the_third_image_without_it(driving):
    decisions = [driving(1.0, odometry=False) for _ in range(3)]
    assert [decision.mode for decision in decisions] == [Mode.DRIVING, Mode.DRIVING, Mode.BRAKING]
    assert_brakes(decisions[-1], "no /carla/ego_vehicle/odometry at or shortly before the image's stamp 0.320 s")
    assert driving(1.0).mode is Mode.DRIVING


@pytest.mark.parametrize("bad", [dict(x=math.nan), dict(x=0.0, y=math.inf), dict(x=0.0, yaw=math.nan)])
def test_a_position_that_is_not_valid_is_none(driving, bad):
    for _ in range(3):
        decision = driving(**bad)
    assert_brakes(decision, "its last position, orientation or speed is not valid")
    assert driving(1.0).mode is Mode.DRIVING


def test_no_route_although_the_bundle_needs_one(engine, clock, routed):
    drive = Drive(engine, clock, routed)
    assert_brakes(drive(0.0), f"no route on /carla/ego_vehicle/waypoints, which bundle {routed.model_id} needs")
    drive.route()
    assert drive(0.5).mode is Mode.DRIVING


def test_a_bundle_that_needs_a_route_is_refused_where_none_is_to_be_followed(manifest, routed):
    with pytest.raises(ConfigError, match="^parameter route: expected auto or required, as bundle .* needs route_5m_x"):
        check_route(PlannerConfig(route="off"), routed)
    gappy = dataclasses.replace(routed, vector=tuple(dataclasses.replace(spec, gaps=True) for spec in routed.vector))
    for config, fine in ((PlannerConfig(), routed), (PlannerConfig(route="off"), gappy), (PlannerConfig(), manifest)):
        check_route(config, fine)


def test_a_model_trained_with_gaps_drives_without_a_route(engine, clock, manifest):
    specs = tuple(dataclasses.replace(spec, gaps=True) for spec in ROUTE_INPUTS)
    guide = Guide(PlannerConfig(), dataclasses.replace(manifest, vector=specs), print)
    assert guide.active and guide.look(PERIOD_NS) == {} and guide.judgement.mode is Mode.DRIVING
    guide.take_route(STRAIGHT, "map")  # but not with one and without odometry
    with pytest.raises(PlannerError, match="no /carla/ego_vehicle/odometry"):
        guide.look(PERIOD_NS)


@pytest.mark.parametrize("route, active", [("auto", False), ("off", False), ("required", True)])
def test_a_model_without_route_inputs_follows_one_only_if_required(engine, clock, manifest, route, active):
    drive = Drive(engine, clock, manifest, route=route)
    drive.route([[0.0, 0.0], [50.0, 0.0]])
    assert drive.pilot.guide.active == active
    drive(0.0)
    modes = [drive(x, speed=0.2).mode for x in (48.0, 49.0)]
    assert modes == [Mode.DRIVING, Mode.ARRIVED if active else Mode.DRIVING]


def test_required_brakes_without_a_route_with_every_model(engine, clock, manifest):
    assert_brakes(Drive(engine, clock, manifest, route="required")(0.0), "which the parameter route needs")


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (np.zeros((0,)), "the route is empty"),
        ([[1.0, 1.0]], "two distinct points"),
        ([[0.0, 0.0], [math.nan, 0.0]], "point 1 of 2 is no position"),
    ],
)
def test_a_route_that_is_none_brakes_until_a_good_one_comes(driving, points, said):
    driving.route(points)
    decision = driving(1.0)
    assert_brakes(decision, "the route cannot be followed")
    assert said in decision.reason and driving.pilot.guide.told[0] == "fault"
    driving.route()
    assert driving(1.5).mode is Mode.DRIVING


def test_a_route_in_another_frame_brakes_and_says_both(driving):
    driving.route(STRAIGHT, "odom")
    assert_brakes(driving(1.0), "the route is in the frame 'odom', the odometry in 'map'")


def test_frames_may_be_declared_to_be_one_place(engine, clock, routed):
    drive = Drive(engine, clock, routed, route_frame="world")
    drive.route(frame="world")
    assert drive(0.0).mode is Mode.DRIVING
    drive.route(frame="elsewhere")
    assert_brakes(drive(0.5), "the route is in the frame 'elsewhere'")


def test_a_new_route_of_another_place_is_not_followed_at_all(driving):
    driving.route(STRAIGHT + (0.0, 230.0))
    assert_brakes(driving(1.0), "the vehicle is 230.0 m away from the new route, more than 10 m")
    driving.route()
    assert driving(1.5).mode is Mode.DRIVING


def test_a_new_route_behind_the_vehicle_is_not_followed(driving):
    driving.route([[0.0, 0.0], [-300.0, 0.0]])
    assert_brakes(driving(0.5), "the route leads the other way, it is behind the vehicle")


@pytest.mark.parametrize("wrong", [dict(x=5.0, y=15.0), dict(x=5.0, yaw=3.0)])
def test_off_the_route_or_facing_away_brakes_after_a_while_and_ends_with_it(driving, wrong):
    modes = [driving(**wrong).mode for _ in range(20)]
    assert modes.index(Mode.BRAKING) == 13  # 1 s is 12.5 periods
    assert set(modes[13:]) == {Mode.BRAKING}
    assert driving(5.0).mode is Mode.DRIVING


def test_off_the_route_for_a_moment_is_no_fault(driving):
    for _ in range(4):
        assert {driving(5.0, y=11.0).mode for _ in range(10)} == {Mode.DRIVING}
        assert driving(5.0, y=9.0).mode is Mode.DRIVING


def test_a_route_that_is_sent_anew_every_second_neither_brakes_nor_loses_the_place(driving):
    for tick in range(1, 100):
        x = 0.4 * tick
        if tick % 12 == 0:
            driving.route([[x + 0.3, 0.0], [300.0, 0.0]])  # begins a little ahead of the vehicle, as Nav2's does
        assert driving(x).mode is Mode.DRIVING
        assert driving.pilot.guide.view.left == pytest.approx(300.0 - x, abs=0.31)


def test_a_new_route_serves_an_image_older_than_the_last_odometry(driving):
    guide = driving.pilot.guide
    guide.take_odometry(3 * PERIOD_NS, "map", (0.4, 0.0, 0.0), 5.0)
    guide.take_odometry(3 * PERIOD_NS + PERIOD_NS // 2, "map", (0.6, 0.0, 0.0), 5.0)
    driving.route([[0.0, 1.0], [300.0, 1.0]])
    guide.look(3 * PERIOD_NS)


def test_it_stops_at_the_end_says_so_and_waits_for_another_route(driving):
    driving.route([[0.0, 0.0], [60.0, 0.0]])
    x, speed, speeds, mode = 0.0, 10.0, [], Mode.DRIVING
    while x < 65.0 and speed > 0.01:
        decision = driving(x, speed=speed)
        assert decision.mode in (Mode.DRIVING, Mode.ARRIVED) and decision.mode >= mode
        mode = decision.mode
        throttle, brake = decision.command[1:]
        speed = max(speed + 0.08 * (3.0 * throttle - 6.0 * brake), 0.0)  # weaker brakes than expected
        x += 0.08 * speed
        speeds.append(speed)
    assert mode is Mode.ARRIVED and 58.0 < x <= 60.2
    assert max(-np.diff(speeds[:-1])) / 0.08 < 4.0  # [m/s^2], until it nearly stands
    for _ in range(5):
        decision = driving(x, speed=0.0)
        assert decision.mode is Mode.ARRIVED and (decision.command == BRAKE).all() and "arrived" in decision.reason
    driving.route([[0.0, 0.0], [60.0, 0.0]])  # the same again: still there
    assert driving(x, speed=0.0).mode is Mode.ARRIVED
    driving.route([[50.0, 0.0], [150.0, 0.0]])
    assert driving(x, speed=0.0).mode is Mode.DRIVING


def test_it_stops_at_the_end_by_the_measured_speed_where_the_odometry_has_none(engine, clock, routed):
    drive = Drive(engine, clock, routed)
    drive.route()
    drive(270.0, speed=10.0, twist=0.0)
    assert drive(271.0, speed=10.0, twist=0.0).command[2] > 0.1  # 1.7 m/s^2 are needed, of 2
    assert drive(298.8, speed=10.0, twist=0.0).command[1] == 0.0 and drive(298.9, speed=0.1).mode is Mode.ARRIVED


def test_the_next_episode_drives_the_same_route_again(driving):
    driving.route([[0.0, 0.0], [60.0, 0.0]])
    assert driving(59.5, speed=0.0).mode is Mode.ARRIVED
    driving.pilot.take_step_result(driving.tick * PERIOD_NS, ended=True)
    assert driving(0.0).mode is Mode.DRIVING
    assert driving.pilot.guide.view.place == 0.0


def test_only_the_first_image_of_an_episode_waits_for_its_odometry(driving):
    guide, stamp = driving.pilot.guide, (driving.tick + 20) * PERIOD_NS
    driving.pilot.take("speed", Sample(stamp, 5.0, (0.0, 0.0, 0.0)))
    assert not driving.pilot.should_wait(stamp) and guide.lacks_odometry(stamp)
    driving.pilot.take_step_result(driving.tick * PERIOD_NS, ended=True)
    assert driving.pilot.should_wait(stamp)
    guide.take_odometry(stamp, "map", (0.0, 0.0, 0.0), 0.0)
    assert not driving.pilot.should_wait(stamp)


def test_activation_keeps_a_route_that_was_sent_once(driving):
    driving.pilot.reset()
    assert driving(3.0).mode is Mode.DRIVING


def test_a_closed_route_never_ends(driving):
    t = np.linspace(0, 2 * math.pi, 200)
    driving.route(np.stack([60 * np.sin(t), 60 - 60 * np.cos(t)], axis=1))
    for angle in np.arange(0.0, 13.0, 0.05):
        decision = driving(60 * math.sin(angle), 60 - 60 * math.cos(angle), angle, speed=20.0)
        assert decision.mode is Mode.DRIVING
    assert driving.pilot.guide.view.left == math.inf and "laps" in driving.pilot.guide.told[1]


def test_the_brake_grows_as_the_end_comes_near():
    plan = np.array([0.2, 0.8, 0.0], np.float32)
    # Half of 10 * 10 / left / 2: the shares of the deceleration that are needed.
    lefts = {500.0: 0.05, 50.0: 0.5, 35.0: 25 / 35, 29.0: 25 / 29, 25.0: 1.0, 12.0: 25 / 12, 0.0: 250.0}
    commands = [slowed(plan, left, 10.0, 2.0) for left in lefts]
    throttles = [0.8, 0.8, (0.75 - 25 / 35) / 0.25, 0, 0, 0, 0]
    assert [command[1] for command in commands] == pytest.approx(throttles, abs=1e-6)
    brakes = [command[2] for command in commands]
    assert brakes == sorted(brakes) and brakes[4] == pytest.approx(2.0 / 8.0) and brakes[-1] == 1.0
    assert slowed(plan, 10.0, 0.0, 2.0)[1] == pytest.approx(0.5) and slowed(plan, 1.0, 0.0, 2.0)[1] == pytest.approx(
        0.2
    )
    assert all(command[0] == plan[0] for command in commands)


def test_autowares_trajectory_needs_its_topic():
    with pytest.raises(ConfigError, match="parameter route_topic: expected the topic of the trajectory"):
        PlannerConfig.from_values({"route_source": "autoware"})


@st.composite
def messages(draw):
    """A route or odometry as nobody should send it, among good ones."""
    number = st.one_of(st.floats(-400.0, 400.0), st.sampled_from((0.0, math.nan, math.inf, -math.inf, 1e30, 1e-30)))
    frame = draw(st.sampled_from(("map", "map", "map", "odom", "")))
    if draw(st.booleans()):
        return "route", np.array(draw(st.lists(st.tuples(number, number), max_size=6))), frame
    stamp = draw(st.integers(-(2**40), 2**40)) if draw(st.integers(0, 9)) == 0 else None
    return "odometry", (draw(number), draw(number), draw(number)), draw(number), frame, stamp


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(messages(), max_size=40))
def test_whatever_arrives_every_image_has_its_decision_and_nothing_drives_blindly(engine, clock, routed, sent):
    drive = Drive(engine, clock, routed)
    for kind, *what in sent:
        if kind == "route":
            drive.route(*what)
        else:
            pose, speed, frame_id, stamp = what
            drive.pilot.guide.take_odometry(drive.tick * PERIOD_NS if stamp is None else stamp, frame_id, pose, speed)
        decision = drive(0.0, odometry=False)
        assert "internal error" not in decision.reason and np.isfinite(decision.command).all()
        assert decision.mode in (Mode.DRIVING, Mode.ARRIVED) or (decision.command == BRAKE).all()
        if decision.mode is not Mode.BRAKING:
            assert np.isfinite(engine.observed[-1].vector).all()
    drive.route()
    for _ in range(20):
        decision = drive(1.0)
    assert decision.mode is Mode.DRIVING

"""Objectives move the search away from the actor's speed, and only they do."""

import dataclasses

import numpy as np
import pytest
from fake_planner import IMAGE
from wm_bundle import from_command
from wm_planner.assembly import make_tuning
from wm_planner.config import PlannerConfig
from wm_planner.engine.imagined import Imagined
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.objectives import openings, steered
from wm_planner.planning.planner import Planner
from wm_planner.planning.signal_bias import SignalBias
from wm_planner.planning.solvers import SOLVERS

HORIZON = 6
USUAL_MPS = 50.0
GAIN = 2.0  # [m/s] in one step at full throttle or brake


class Car:
    """A belief is a speed [m/s], which the throttle and brake change. The reward is the speed up to ``USUAL_MPS``. The
    actor is at full throttle below that, and its steer is a hundredth of the speed."""

    def __init__(self, wrong_mps: float = 0.0):
        self.rolled = 0
        self.wrong_mps = wrong_mps  # of what it imagines

    def initial_belief(self):
        return np.zeros((1, 1), np.float32)

    def zero_noise(self, candidates):
        return np.zeros((candidates, HORIZON, 1), np.float32)

    def observe(self, image, vector, previous_action, belief, is_first, camera_mask=None):
        return vector[None].astype(np.float32), 0.0

    def actor(self, belief):
        speeds = self.speeds(belief, np.tile(np.float32([[0.0, 1.0, 0.0]]), (1, HORIZON, 1)))[0]
        before = np.concatenate([belief[0], speeds[:-1]])
        return np.stack([before / 100.0, before < USUAL_MPS, 0.0 * before], axis=-1).astype(np.float32), np.zeros(2)

    def imagine(self, belief, actions, noise):
        speeds = self.speeds(belief, actions)
        reward = np.minimum(speeds, USUAL_MPS)
        return Imagined(reward, np.ones_like(reward), 5.0 * reward, vector=speeds[..., None] + self.wrong_mps)

    def advance(self, belief, actions):
        self.rolled += 1
        return self.speeds(belief, actions[None])[:, -1:]

    @staticmethod
    def speeds(belief, actions):
        return np.maximum(belief[0, 0] + GAIN * np.cumsum(from_command(actions)[..., 1], axis=1), 0.0)


def planner_of(engine, clock, manifest, **values) -> Planner:
    manifest = dataclasses.replace(manifest, imagines_vector=True)
    tuning = make_tuning(PlannerConfig.from_values({"cautious_risk": 0.0, **values}), manifest, has_ensemble=True)
    return Planner(engine, tuning, inputs=("speed",), period_s=0.08, clock=clock)


def drive(planner, clock, steps: int = 120, speed: float = USUAL_MPS) -> tuple[np.ndarray, np.ndarray]:
    """The speed at every step, and the commands."""
    speeds, commands = [], []
    for step in range(steps):
        speeds.append(speed)
        planner.observe(IMAGE, np.array([speed], np.float32), (step + 1) * 80_000_000)
        commands.append(planner.plan(clock() + 1.0).action)
        planner.note_command(commands[-1])
        speed = float(Car.speeds(np.array([[speed]]), commands[-1][None, None])[0, 0])
    return np.array(speeds), np.array(commands)


@pytest.mark.parametrize("share", [0.6, 0.4, 0.2])
@pytest.mark.parametrize("solver", [name for name, kind in SOLVERS.items() if kind.searches])
def test_a_target_speed_is_reached_and_kept_with_the_actors_steering(solver, share, clock, manifest):
    target = share * USUAL_MPS
    planner = planner_of(Car(), clock, manifest, solver=solver, target_speed_cost=1.0, target_speed=target)
    speeds, commands = drive(planner, clock)
    assert np.abs(speeds[60:] - target).max() < 0.1 * target
    assert np.abs(commands[60:, 0] - speeds[60:] / 100.0).max() < 0.05 + 1e-6  # the actor's, within the box


@pytest.mark.parametrize("wrong_mps", [-4.0, 4.0])
def test_a_model_that_is_steadily_wrong_about_the_speed_is_corrected_by_the_measured_one(wrong_mps, clock, manifest):
    planner = planner_of(Car(wrong_mps), clock, manifest, target_speed_cost=1.0, target_speed=10.0)
    assert np.abs(drive(planner, clock)[0][90:] - 10.0).max() < 1.0


def test_a_missing_measurement_teaches_nothing():
    bias = SignalBias(2)
    for _ in range(100):
        bias.learn(np.array([3.0, np.nan], np.float32), np.array([1.0, 1.0], np.float32))
    assert bias.values == pytest.approx([2.0, 0.0], abs=0.01)


def test_the_actor_alone_knows_no_objective(clock, manifest):
    values = {"target_speed_cost": 1.0, "target_speed": 10.0}
    speeds, _ = drive(planner_of(Car(), clock, manifest, solver="actor", **values), clock)
    assert speeds[-1] == pytest.approx(USUAL_MPS)


def test_a_new_target_holds_from_the_next_frame_on(clock, manifest):
    planner = planner_of(Car(), clock, manifest, target_speed_cost=1.0, target_speed=10.0)
    assert drive(planner, clock)[0][-1] == pytest.approx(10.0, abs=1.0)
    planner.reset()
    planner.retune(planner_of(Car(), clock, manifest, target_speed_cost=1.0, target_speed=30.0)._tuning)
    assert drive(planner, clock, speed=10.0)[0][-1] == pytest.approx(30.0, abs=1.0)


def test_the_reach_limits_what_an_objective_may_ask_for(clock, manifest):
    values = {"target_speed_cost": 1.0, "target_speed": 0.0, "objective_reach": 0.3, "longitudinal_std": 0.1}
    _, commands = drive(planner_of(Car(), clock, manifest, **values), clock, steps=1, speed=20.0)
    assert 1.0 - 0.3 - 0.1 - 1e-6 <= commands[0, 1] <= 0.8  # the actor's 1, less the reach and the box


def test_without_time_the_last_plan_goes_on(clock, manifest):
    planner = planner_of(Car(), clock, manifest, target_speed_cost=1.0, target_speed=10.0)
    speeds, commands = drive(planner, clock)
    planner.observe(IMAGE, speeds[-1:].astype(np.float32), 10**12)
    plan = planner.plan(clock() - 1.0)
    assert plan.iterations == 0 and np.abs(plan.action - commands[-1]).max() < 0.3  # the actor's throttle is 1


def test_futures_of_uncertain_plans_leave_room_for_openings(clock, manifest):
    manifest = dataclasses.replace(manifest, imagines_vector=True)
    config = PlannerConfig(target_speed_cost=1.0, target_speed=10.0, risk=0.1)
    planner = Planner(Car(), make_tuning(config, manifest, False), inputs=("speed",), period_s=0.08, clock=clock)
    assert drive(planner, clock)[0][-1] == pytest.approx(10.0, abs=1.0)


def test_commands_in_flight_are_part_of_the_past(clock, manifest):
    planner = planner_of(Car(), clock, manifest, jerk_cost=1.0, jerk_limit=0.0)
    planner.observe(IMAGE, np.array([10.0], np.float32), 1)
    planner.observe(IMAGE, np.array([10.0], np.float32), 2)
    flying = np.array([[0.0, 0.5, 0.0]] * 3, np.float32)
    np.testing.assert_allclose(planner._past_after(flying[:1]), [[10.0], [11.0]])
    np.testing.assert_allclose(planner._past_after(flying), [[12.0], [13.0]])
    assert planner.plan(clock() + 1.0, in_flight=flying).in_flight == 3


def test_openings_are_within_reach_and_begin_with_the_last_plan():
    last, actor = np.linspace(-0.5, 0.5, 6, dtype=np.float32), np.full(6, 0.4, np.float32)
    plans = openings(last, actor, 2.0)
    np.testing.assert_array_equal(plans[0], last)
    assert len(plans) <= 32 and plans.min() == -1.0 and plans.max() == 1.0
    assert any((plan == actor).all() for plan in plans)
    near = openings(last, actor, 0.3)
    assert near.min() >= 0.1 - 1e-6 and near.max() <= 0.7 + 1e-6
    assert openings(last, actor, 2.0, hurries=False).max() <= 0.4 + 1e-6


def test_a_limit_never_makes_the_car_faster_than_the_actor(clock, manifest):
    planner = planner_of(Car(), clock, manifest, speed_limit_cost=1.0, speed_limit=100.0)
    speeds, _ = drive(planner, clock)
    assert speeds.max() < USUAL_MPS + 3.0  # the box is around the actor's throttle, 0 at its usual speed


def test_the_actor_steers_at_the_speeds_that_it_is_given():
    limits = ActionLimits((0.4, 2.0))
    braking = np.full(HORIZON, -1.0, np.float32)
    plan = steered(
        lambda belief: Car().actor(belief)[0],
        Car().advance,
        np.array([[40.0]], np.float32),
        braking,
        lambda plans: limits.apply(plans, np.zeros(2, np.float32)),
    )
    np.testing.assert_array_equal(plan[:, 1], braking)
    # 40 m/s at first and 34 after three steps of braking, and from each as if the actor's throttle followed
    np.testing.assert_allclose(plan[:, 0], [0.4, 0.42, 0.44, 0.34, 0.36, 0.38], atol=1e-6)


BEFORE = [[0.00705066323, 0.0530090258, 0.0], [0.0133331111, 0.0682550296, 0.0], [0.0157418586, 0.0655608997, 0.0]]


def test_without_an_objective_every_command_is_what_it_was_before_there_were_any(engine, clock, manifest):
    """``BEFORE`` was computed by the version before objectives."""
    for values in ({}, {"target_speed": 3.0, "objective_reach": 0.1, "headway": 9.0}):
        planner = planner_of(engine, clock, manifest, solver="mppi", action_rate_cost=0.1, **values)
        commands = []
        for _ in range(3):
            planner.stamp_ns = 80_000_000 * (len(commands) + 1)
            planner.observe(IMAGE, np.array([4.0], np.float32), planner.stamp_ns)
            commands.append(planner.plan(clock() + 1.0).action)
            planner.note_command(commands[-1])
        np.testing.assert_allclose(commands, BEFORE, rtol=0.0, atol=1e-7)
    assert not engine.advanced

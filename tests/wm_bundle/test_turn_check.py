"""What a vehicle's turns say of the sign and the unit of its yaw rate, and that nothing else raises an alarm."""

import math
from random import Random

import pytest
from town_drive import PERIOD_S, town
from wm_bundle.turn_check import Turn, TurnCheck
from wm_sim.carracing.expert import Expert
from wm_sim.carracing.world import CarRacingWorld

DEGREES = 180.0 / math.pi


def judged(samples, factor: float = 1.0, speed_known: bool = True, sign: int = 1) -> TurnCheck:
    return driven_on(TurnCheck(), samples, factor, speed_known, sign)


def driven_on(check: TurnCheck, samples, factor=1.0, speed_known=True, sign=1, period_s=PERIOD_S) -> TurnCheck:
    for n, (steer, speed, yaw_rate) in enumerate(samples):
        check.add(round(n * period_s * 1e9), sign * steer, speed if speed_known else None, factor * yaw_rate)
    return check


@pytest.mark.parametrize("speed_known", [True, False])
@pytest.mark.parametrize(("curvature", "delay"), [(0.1, 0), (0.1, 6), (0.3, 0), (0.3, 6), (2.0, 0), (2.0, 3)])
def test_a_yaw_rate_of_the_right_sign_and_unit_raises_no_alarm(curvature, delay, speed_known):
    for seed in range(5):
        check = judged(town(40, seed, curvature, delay, speed=3.0 if curvature > 1 else 8.0), speed_known=speed_known)
        assert check.fault is None and "as steered" in check.told


@pytest.mark.parametrize("speed_known", [True, False])
@pytest.mark.parametrize("delay", [0, 3])
def test_the_wrong_sign_of_either_is_told_within_twelve_turns(delay, speed_known):
    assert judged(town(12, delay=delay), -1.0, speed_known).fault is Turn.AGAINST
    assert judged(town(12, delay=delay), sign=-1, speed_known=speed_known).fault is Turn.AGAINST


def test_degrees_per_second_are_told_and_radians_taken_for_degrees():
    assert judged(town(12), DEGREES).fault is Turn.TOO_LARGE
    assert judged(town(12), -DEGREES).fault is Turn.TOO_LARGE
    assert judged(town(12), 1.0 / DEGREES).fault is Turn.TOO_SMALL


def test_a_fault_is_over_when_the_vehicle_turns_as_steered_again():
    check = judged(town(12), -1.0)
    assert "multiply yaw_rate_factor by -1" in check.fault_told
    assert driven_on(check, town(12)).fault is None and not check.fault_told


@pytest.mark.parametrize("factor", [1.0, -1.0, DEGREES])
def test_standing_reversing_straight_roads_and_gaps_say_nothing(factor):
    random = Random(0)
    noise = [random.gauss(0.0, 0.03) for _ in range(5000)]
    for samples in (
        [(1.0, 0.0, 0.001 * one) for one in noise],  # it stands with its wheels turned
        [(steer, -speed, -yaw_rate) for steer, speed, yaw_rate in town(20)],  # backwards it turns the other way
        [(one, 20.0, 0.01) for one in noise] if abs(factor) == 1.0 else [],  # straight, with a bias of the sensor
    ):
        assert judged(samples, factor).told == "no turn yet"
    assert driven_on(TurnCheck(), town(20), period_s=2.0).told == "no turn yet"


@pytest.mark.parametrize("place", range(3))
def test_what_is_no_number_is_a_gap(place):
    broken = [tuple(math.nan if k == place else one for k, one in enumerate(sample)) for sample in town(20)]
    check = driven_on(TurnCheck(), broken)
    assert check.told == "no turn yet"
    assert driven_on(check, town(12), -1.0).fault is Turn.AGAINST, "and leaves no trace"


def test_a_fourth_of_the_turns_against_the_steering_raises_no_alarm():
    for seed in range(20):
        check, random = TurnCheck(), Random(seed)
        for _ in range(100):
            slides = random.random() < 0.25
            driven_on(check, town(1, random.randrange(1000)), -1.0 if slides else 1.0)
            assert check.fault is None


def carracing(seed: int, steps: int, sliding: bool):
    """(steer, speed, yaw rate) of a lap by the expert; ``sliding``: with noise on its steering, so that it skids."""
    world, expert, random = CarRacingWorld(PERIOD_S), Expert(PERIOD_S), Random(seed)
    world.reset(seed)
    expert.reset(world.centre_line())
    noise = 0.0
    for _ in range(steps):
        steer, throttle, brake = expert.act(world.state())
        noise = 0.8 * noise + random.gauss(0.0, 0.3) if sliding else 0.0
        steer = max(-1.0, min(1.0, steer + noise))
        if world.step(steer, throttle, brake).terminated:
            return
        state = world.state()
        yield steer, state.speed, state.yaw_rate


@pytest.mark.parametrize("sliding", [False, True])
def test_drives_of_the_built_in_simulator_raise_no_alarm_and_tell_a_wrong_sign(sliding):
    samples = [one for seed in (5000, 5001, 5002, 5003) for one in carracing(seed, 250, sliding)]
    assert judged(samples).fault is None
    assert judged(samples, -1.0).fault is Turn.AGAINST
    assert judged(samples, DEGREES).fault is Turn.TOO_LARGE

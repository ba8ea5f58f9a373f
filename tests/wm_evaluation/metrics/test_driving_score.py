"""CARLA's driving score: its arithmetic, and that what is unknown stays unknown."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_evaluation.metrics.driving_score import (
    ENDINGS,
    INFRACTIONS,
    OUTSIDE,
    check_step,
    comfortable_share,
    driving_score,
)

NAN, FAR = math.nan, math.inf


@dataclass(frozen=True)
class Step:
    infractions: tuple[str, ...] = ()
    route_completion: float = NAN
    time_to_collision_s: float = NAN
    wheels_off_road: int = 0


def drive(*infractions: str, completion: float = 1.0, steps: int = 10) -> list[Step]:
    """A drive that gains the same of its route in every step, and has all of these infractions in the fifth."""
    return [Step(infractions if k == 5 else (), completion * k / steps, FAR) for k in range(1, steps + 1)]


@pytest.mark.parametrize(
    "infractions, score, score_2_1",
    [
        ((), 100.0, 100.0),
        (("collision_pedestrian",), 50.0, 50.0),  # 1 / (1 + 1.0)
        (("collision_pedestrian",) * 2, 25.0, 100 / 3),
        (("collision_vehicle", "red_light"), 42.0, 100 / 2.1),  # 0.6 * 0.7; 1 / (1 + 0.7 + 0.4)
        (("collision_layout",), 65.0, 62.5),
        (("red_light",) * 3, 34.3, 100 / 2.2),
        (("stop_infraction",), 80.0, 80.0),
        (("scenario_timeouts", "yield_emergency_vehicle_infractions"), 49.0, 100 / 1.8),
        (("min_speed_infractions",), 70.0, 100 / 1.4),
        (ENDINGS, 100.0, 100.0),
    ],
)
def test_every_infraction_costs_what_the_leaderboard_takes(infractions, score, score_2_1):
    found = driving_score(drive(*infractions))
    assert (found.score, found.score_2_1) == pytest.approx((score, score_2_1))
    assert found.penalty == pytest.approx(score / 100) and found.route_completion == pytest.approx(100.0)


def test_the_completion_counts_as_far_as_the_drive_came_and_does_not_fall():
    assert driving_score(drive("red_light", completion=0.5)).score == pytest.approx(35.0)  # 50 * 0.7
    back = [*drive(completion=0.5), Step((), 0.3, FAR)]
    assert driving_score(back).score == pytest.approx(50.0)


def test_what_is_driven_outside_of_the_routes_lanes_does_not_count():
    steps = drive()
    steps[2] = Step((OUTSIDE,), 0.3, FAR)  # a tenth of the route
    steps[3] = Step((), 0.4, FAR, wheels_off_road=2)  # another one
    steps[4] = Step((), 0.5, FAR, wheels_off_road=1)
    found = driving_score(steps)
    assert (found.score, found.route_completion, found.penalty) == pytest.approx((80.0, 80.0, 1.0))


def test_what_is_not_told_stays_unknown():
    blind = driving_score([Step() for _ in range(5)])
    figures = (blind.score, blind.score_2_1, blind.route_completion, blind.penalty, blind.close_share)
    assert all(math.isnan(figure) for figure in figures)
    assert blind.infractions is None and math.isnan(blind.count("red_light"))
    assert math.isnan(driving_score([]).score)
    road = driving_score([Step(("collision_vehicle",), NAN, 3.0)])  # no route, but other cars
    assert math.isnan(road.score) and road.count("collision_vehicle") == 1.0 and road.close_share == 0.0


def test_close_calls_are_a_share_of_the_time_that_is_known():
    times = (NAN, FAR, 2.0, 1.5, 1.4, 0.0)  # 2 of 5 are below 1.5 s
    assert driving_score([Step((), NAN, time) for time in times]).close_share == pytest.approx(0.4)


@given(st.lists(st.sampled_from(INFRACTIONS), max_size=8), st.floats(0.0, 1.0))
def test_a_score_is_between_0_and_the_completion_and_no_infraction_raises_it(infractions, completion):
    found, clean = (
        driving_score(drive(*infractions, completion=completion)),
        driving_score(drive(completion=completion)),
    )
    for score, best in ((found.score, clean.score), (found.score_2_1, clean.score_2_1)):
        assert 0.0 <= score <= best <= 100.0 * completion + 1e-9


@pytest.mark.parametrize(
    "step, said",
    [
        ((["jaywalking"], 0.5, 1.0), "expected infractions among .*found 'jaywalking'"),
        (([], 1.2, 1.0), "route_completion of 0 to 1 or NaN, found 1.2"),
        (([], math.inf, 1.0), "found inf"),
        (([], 0.5, -1.0), "time_to_collision_s of 0 or more or NaN, found -1"),
    ],
)
def test_what_a_simulator_must_not_send_is_named(step, said):
    check_step(["red_light"], NAN, math.inf)
    with pytest.raises(ValueError, match=said):
        check_step(*step)


def test_comfort_is_the_share_of_moments_within_every_limit():
    forward = np.array([0.0, 3.0, -4.0, -5.0, 0.0, NAN])  # 2.40 and -4.05 are the limits
    sideways = np.array([5.0, 0.0, 4.8, 0.0, -4.8, 0.0])  # 4.89
    jerks = np.array([0.0, 8.0, 0.0, 9.0, 0.0])  # 8.37, of the second moment and later
    assert comfortable_share(forward, sideways, jerks) == pytest.approx(1 / 5)
    assert math.isnan(comfortable_share(np.zeros(0), np.zeros(0), np.zeros(0)))

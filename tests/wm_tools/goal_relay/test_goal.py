"""Which goals are passed on."""

import math

import pytest
from wm_tools.goal_relay.goal import refusal

HERE, AHEAD = (10.0, -4.0, 0.0), (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("frame", ["map", "/map"])
def test_a_goal_in_the_planners_frame_is_passed_on(frame):
    assert refusal(frame, HERE, AHEAD, "map") is None


@pytest.mark.parametrize(
    ("frame", "position", "orientation", "said"),
    [
        ("odom", HERE, AHEAD, "in the frame 'odom', expected 'map'"),
        ("", HERE, AHEAD, "in the frame '', expected 'map'"),
        ("map", (math.nan, 0.0, 0.0), AHEAD, "no place: (nan, 0, 0)"),
        ("map", HERE, (0.0, 0.0, math.inf, 1.0), "no place"),
        ("map", HERE, (0.0, 0.0, 0.0, 0.0), "orientation is not set"),
    ],
)
def test_other_goals_are_refused_with_one_line(frame, position, orientation, said):
    assert said in refusal(frame, position, orientation, "map")

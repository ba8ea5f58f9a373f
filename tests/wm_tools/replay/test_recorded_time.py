"""Where in a recording a message is, whatever the clock of the recorder did."""

from itertools import pairwise

import pytest
from fixtures_rosbag import CAMERA, Recording, drive, write_bag
from hypothesis import given
from hypothesis import strategies as st
from wm_tools.common.errors import ReplayError
from wm_tools.replay.played_bag import check_gaps
from wm_tools.replay.recorded_time import RecordedTime

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
WALL = 1_700_000_000 * SECOND


def taken(times_ns, max_gap_s=60.0):
    """(where, note) of each message."""
    recorded = RecordedTime(times_ns[0], max_gap_s)
    found = []
    for time_ns in times_ns:
        recorded.go_to(time_ns)
        found.append((recorded.at_ns / SECOND, recorded.note))
    return found


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=30), st.sampled_from([0.5, 60.0]))
def test_nothing_is_waited_for_longer_than_the_gap_that_is_allowed(times_ns, max_gap_s):
    found = taken(times_ns, max_gap_s)
    for (before, _), (after, note), (then_ns, now_ns) in zip(found, found[1:], pairwise(times_ns), strict=False):
        assert -1.0 - 1e-6 <= after - before <= max_gap_s + 1e-6
        is_kept = -SECOND <= now_ns - then_ns <= max_gap_s * SECOND
        assert after - before == pytest.approx((now_ns - then_ns) / SECOND if is_kept else 0.0, abs=1e-4)
        assert is_kept or note


def test_every_gap_and_step_back_is_told_with_its_length_and_place():
    times = [0, SECOND, WALL, WALL + 10 * SECOND, WALL + 8 * SECOND, WALL + 8 * SECOND + 200 * DAY, 2**63 - 5]
    assert taken(times) == [
        (0.0, None),
        (1.0, None),
        (1.0, "at 1.00 s nothing was recorded for 54 years, more than --max-gap: skipped"),
        (11.0, "at 1.00 s nothing was recorded for 10 s: waiting; --max-gap skips such gaps"),
        (11.0, "at 11.00 s the times of recording go back by 2 s: playing on"),
        (11.0, "at 11.00 s nothing was recorded for 200 days, more than --max-gap: skipped"),
        (11.0, "at 11.00 s nothing was recorded for 238 years, more than --max-gap: skipped"),
    ]


def test_without_a_limit_every_gap_is_kept():
    assert [where for where, _ in taken([0, 5 * DAY], 0.0)] == [0.0, 5 * DAY / SECOND]


def test_a_bag_with_a_gap_is_refused_for_a_player_that_would_wait(tmp_path):
    late = drive(ticks=2, log_offset_ns=200 * DAY)
    bag = write_bag(tmp_path / "bag", Recording(drive(ticks=2).messages + late.messages))
    check_gaps(bag, [CAMERA], 0.0)
    check_gaps(write_bag(tmp_path / "whole", drive(ticks=2)), [CAMERA, "/not/there"], 60.0)
    told = r"at 0.10 s nothing was recorded for 200 days.*`ros2 bag play` would stall there: use player:=own"
    with pytest.raises(ReplayError, match=told):
        check_gaps(bag, [CAMERA], 60.0)

"""What the order of stamps tells."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server_frames import camera_stamps
from wm_data.bags.order_of_writing import set_back_ns
from wm_data.line import AHEAD, ANEW, BACKWARDS, FINE, REPEATS, Line, drops, out_of_line, usual_step_ns


def told(stamps, period=100):
    """The verdicts in the order of the stamps; everything is told once."""
    line = Line(period)
    found = [one for number, stamp in enumerate(stamps) for one in line.take(stamp, number)]
    found += line.finish()
    assert sorted(one.item for one in found) == list(range(len(stamps)))
    return [one.verdict for one in sorted(found)]


@pytest.mark.parametrize(
    "stamps, odd",
    [
        ([0, 100, 200, 300], {}),
        ([0, 100, 100, 200], {2: REPEATS}),
        ([0, 100, 200, 150, 300], {3: BACKWARDS}),
        ([0, 100, 5000, 300, 400], {2: AHEAD}),
        ([5000, 0, 100, 200], {0: AHEAD}),
        ([0, 100, 200, 0], {3: BACKWARDS}),  # nobody knows what would have come
        ([0, 100, 200, 0, 100, 200], {3: ANEW}),
        ([0, 100, 0, 100, 0, 100], {2: ANEW, 4: ANEW}),
        ([0, 100, 200, 300, 280, 380, 480], {4: BACKWARDS}),  # by 120 ms: the others are in step without it
        ([0, 100, 200, 300, 210, 310, 410], {4: ANEW}),  # set back by 190 ms
        ([0, 100, 200, 50, 20, 300], {3: BACKWARDS, 4: BACKWARDS}),
    ],
)
def test_an_odd_stamp_is_told_from_a_clock_that_begins_anew(stamps, odd):
    assert told(stamps) == [odd.get(number, FINE) for number in range(len(stamps))]


def test_what_is_held_back_can_be_had_and_is_not_told_again():
    line = Line(100)
    assert [*line.take(0, "a")] == [] and [one.item for one in line.release()] == ["a"] and [*line.release()] == []
    assert [*line.take(100, "b")] == [] and [one.item for one in line.finish()] == ["b"]


@given(count=st.integers(8, 60), place=st.integers(2, 57), far=st.integers(400, 10**6), ahead=st.booleans())
@settings(max_examples=50)
def test_of_stamps_that_grow_the_one_that_is_far_off_is_odd_and_no_other(count, place, far, ahead):
    stamps = np.arange(count) * 100
    place = min(place, count - 3)
    stamps[place] += far if ahead else -far
    assert np.flatnonzero(out_of_line(stamps, stamps - np.arange(count) * 100)).tolist() == [place]
    assert drops(stamps) <= 1


def test_the_disorder_of_threads_is_not_odd():
    stamps = np.arange(40) * 100
    stamps[10:12] = stamps[11:9:-1]
    assert not out_of_line(stamps).any() and drops(stamps) == 0 and set_back_ns([stamps]) == 0


@given(st.integers(5, 30), st.integers(5, 30), st.integers(3, 200))
@settings(max_examples=30)
def test_a_clock_of_recording_that_was_set_back_is_seen_in_any_topic(first, second, back):
    times = np.concatenate([np.arange(first), np.arange(second) + first - min(back, first)]) * 100
    assert set_back_ns([np.arange(9), times]) == (min(back, first) - 1) * 100
    assert set_back_ns([np.sort(times), np.zeros(0, np.int64)]) == 0


@pytest.mark.parametrize("jitter", [0.0, 0.1])
@pytest.mark.parametrize("frames_per_s", [20, 25, 30, 40, 60])
def test_the_usual_step_of_a_camera_on_frames_of_a_simulator_is_its_period(frames_per_s, jitter):
    for lost in (0.0, 0.02):
        stamps_s, _ = camera_stamps(frames_per_s, jitter, 1000, lost)
        assert usual_step_ns([round(stamp * 1e9) for stamp in stamps_s]) == pytest.approx(80_000_000, rel=0.02)

"""Which pictures become one frame, and what happens to those that miss theirs."""

import pytest
from fake_clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from wm_bundle.pictures.frames import RawImage
from wm_bundle.pictures.synchroniser import CameraSynchroniser

MS = 1_000_000


def image(stamp_ms: float) -> RawImage:
    return RawImage(int(stamp_ms * MS), 1, 1, "mono8", 1, b"\0")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def pair(clock) -> CameraSynchroniser:
    return CameraSynchroniser(2, tolerance_s=0.010, deadline_s=0.020, clock=clock)


def stamps_ms(frame) -> list:
    return [None if entry is None else entry.stamp_ns / MS for entry in frame.images]


def test_a_complete_set_is_a_frame_at_once_whichever_camera_is_last(pair, clock):
    assert pair.add(0, image(80)) == [] and pair.wait_s() == pytest.approx(0.020)
    clock.advance(0.003)
    (frame,) = pair.add(1, image(84))
    assert stamps_ms(frame) == [80, 84] and frame.stamp_ns == 80 * MS and frame.received_s == clock.now
    assert pair.add(1, image(164)) == []
    (frame,) = pair.add(0, image(160))
    assert stamps_ms(frame) == [160, 164] and frame.stamp_ns == 160 * MS
    assert pair.wait_s() is None and pair.overdue() is None
    assert (pair.counts.frames, pair.counts.incomplete, pair.counts.dropped) == (2, 0, 0)


def test_a_missing_camera_is_none_after_the_deadline_and_its_late_picture_is_dropped(pair, clock):
    pair.add(1, image(80))
    arrived_s = clock.now
    clock.advance(0.019)
    assert pair.overdue() is None
    clock.advance(0.002)
    frame = pair.overdue()
    assert stamps_ms(frame) == [None, 80] and frame.stamp_ns == 80 * MS and frame.received_s == arrived_s
    assert pair.add(0, image(80)) == []  # too late
    assert (pair.counts.frames, pair.counts.incomplete, pair.counts.dropped) == (1, 1, 1)
    pair.add(0, image(160))
    assert [stamps_ms(frame) for frame in pair.add(1, image(160))] == [[160, 160]]


def test_a_picture_of_a_later_moment_sends_the_incomplete_frame_on(pair):
    pair.add(0, image(80))
    (frame,) = pair.add(0, image(160))
    assert stamps_ms(frame) == [80, None]
    (frame,) = pair.add(1, image(160))
    assert stamps_ms(frame) == [160, 160]


def test_pictures_further_apart_than_the_tolerance_are_two_moments(pair):
    pair.add(0, image(80))
    (frame,) = pair.add(1, image(91))
    assert stamps_ms(frame) == [80, None] and pair.wait_s() is not None


def test_stamps_that_jump_back_begin_anew(pair):
    for stamp in (8000, 8080):
        pair.add(0, image(stamp)), pair.add(1, image(stamp))
    assert pair.add(0, image(80)) == []
    (frame,) = pair.add(1, image(80))
    assert stamps_ms(frame) == [80, 80]


def test_a_camera_whose_stamp_stands_still_counts_as_missing(pair, clock):
    pair.add(0, image(80)), pair.add(1, image(80))
    assert pair.add(0, image(80)) == [] and pair.wait_s() is None
    pair.add(1, image(160))
    clock.advance(0.021)
    assert stamps_ms(pair.overdue()) == [None, 160]


def test_with_one_camera_every_picture_is_a_frame(clock):
    single = CameraSynchroniser(1, 0.0, 0.020, clock)
    for stamp in (80, 80, 40, 200):
        (frame,) = single.add(0, image(stamp))
        assert stamps_ms(frame) == [stamp]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(0, 30)), max_size=80))
def test_frames_never_repeat_a_picture_nor_go_back_and_nothing_waits_beyond_its_deadline(events):
    """Three cameras, pictures at any time in any order; each camera's own stamps only rise."""
    now, frames, newest = 0.0, [], [0, 0, 0]
    synchroniser = CameraSynchroniser(3, 0.010, 0.020, lambda: now)
    for camera, stamp_step, wait_ms in events:
        now += wait_ms / 1000.0
        while (frame := synchroniser.overdue()) is not None:
            frames.append(frame)
        newest[camera] += 1 + stamp_step
        frames += synchroniser.add(camera, image(newest[camera]))
        assert synchroniser.wait_s() is None or synchroniser.wait_s() <= 0.020 + 1e-9
    now += 1.0
    if (frame := synchroniser.overdue()) is not None:
        frames.append(frame)
    assert synchroniser.wait_s() is None
    given_on = [id(entry) for frame in frames for entry in frame.images if entry is not None]
    assert len(given_on) == len(set(given_on)) == len(events) - synchroniser.counts.dropped
    moments = [[entry.stamp_ns for entry in frame.images if entry is not None] for frame in frames]
    assert all(stamps and max(stamps) - min(stamps) <= 20 * MS for stamps in moments)
    assert all(max(before) < min(after) for before, after in zip(moments, moments[1:], strict=False))


def test_a_frame_was_received_when_its_last_picture_arrived_however_late_it_is_taken_in(pair, clock):
    clock.advance(0.050)  # both have waited meanwhile
    pair.add(0, image(80), clock.now - 0.050)
    (frame,) = pair.add(1, image(80), clock.now - 0.030)
    assert frame.received_s == pytest.approx(clock.now - 0.030)
    assert pair.add(1, image(160), clock.now - 0.010) == []
    (frame,) = pair.add(0, image(160), clock.now - 0.020)  # taken in last, though it came first
    assert frame.received_s == pytest.approx(clock.now - 0.010)
    single = CameraSynchroniser(1, tolerance_s=0.010, deadline_s=0.020, clock=clock)
    (frame,) = single.add(0, image(80), clock.now - 0.040)
    assert frame.received_s == pytest.approx(clock.now - 0.040)

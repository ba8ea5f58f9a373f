"""What is joined to a frame, and what counts as dropped."""

import pytest
from wm_planner.pilot.modes import Mode
from wm_tools.replay.frames import Arrivals, Command, Moment, Status, header_stamp_ns, moments_of

MS = 1_000_000


def status(mode: Mode = Mode.DRIVING) -> Status:
    return Status(mode, "", 5.0, False, 16, 2, 1.0, 0)


def test_a_frame_has_its_own_answer_and_the_time_to_it():
    arrivals = Arrivals()
    arrivals.picture(10, 1000 * MS)
    arrivals.picture(20, 1080 * MS)
    arrivals.command(20, Command(1100 * MS, (0.5, 0.25, 0.0)))
    arrivals.status(20, status())
    first, second, third = arrivals.frames([Moment((10,)), Moment((20,)), Moment((30,))])
    assert (first.command, first.latency_ms) == (None, None)
    assert second.command.values == (0.5, 0.25, 0.0)
    assert second.latency_ms == 20.0  # 1100 ms - 1080 ms
    assert second.status == status()
    assert (third.arrival_ns, third.command) == (None, None)


def test_stamps_that_come_again_are_answered_in_order():
    arrivals = Arrivals()
    for arrival_ms, steer in ((100, 0.1), (200, 0.2)):
        arrivals.picture(10, arrival_ms * MS)
        arrivals.command(10, Command((arrival_ms + 5) * MS, (steer, 0.0, 0.0)))
    frames = arrivals.frames([Moment((10,)), Moment((10,)), Moment((10,))])
    assert [frame.command and frame.command.values[0] for frame in frames] == [0.1, 0.2, None]
    assert [frame.latency_ms for frame in frames] == [5.0, 5.0, None]


def test_only_brakes_between_the_first_and_the_last_picture_count_as_unasked():
    arrivals = Arrivals()
    arrivals.command(0, Command(50 * MS, (0.0, 0.0, 1.0)))  # before the bag begins the planner brakes, too
    assert arrivals.unasked == 0
    arrivals.picture(10, 100 * MS)
    arrivals.command(0, Command(150 * MS, (0.0, 0.0, 1.0)))
    arrivals.picture(20, 200 * MS)
    arrivals.command(0, Command(250 * MS, (0.0, 0.0, 1.0)))
    assert arrivals.unasked == 1


def test_pictures_of_several_cameras_are_one_moment_and_of_one_camera_never():
    assert moments_of([100, 104, 180, 176, 260], 10) == [Moment((100, 104)), Moment((180, 176)), Moment((260,))]
    assert moments_of([100, 100, 104], -1) == [Moment((100,)), Moment((100,)), Moment((104,))]


def test_a_moment_is_answered_by_a_command_with_any_of_its_stamps():
    arrivals = Arrivals()
    arrivals.picture(104, 10 * MS)
    arrivals.picture(100, 12 * MS)
    arrivals.command(104, Command(15 * MS, (0.0, 0.0, 0.0)))
    (frame,) = arrivals.frames([Moment((100, 104))])
    assert frame.latency_ms == 5.0  # from its first picture: 15 ms - 10 ms


@pytest.mark.parametrize(
    "raw, stamp_ns",
    [
        (bytes([0, 1, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0]), 2_000_000_005),
        (bytes([0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 5]), 2_000_000_005),  # big endian
    ],
)
def test_the_stamp_is_read_from_the_bytes_of_either_order(raw, stamp_ns):
    assert header_stamp_ns(raw) == stamp_ns


def test_bytes_without_a_header_are_refused():
    with pytest.raises(ValueError, match="3 bytes"):
        header_stamp_ns(b"abc")

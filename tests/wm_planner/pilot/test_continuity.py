"""What stamps say."""

from random import Random

import pytest
from server_frames import camera_stamps
from wm_planner.pilot.continuity import CommandedMotion, EpisodeTracker, FrozenPicture, RateCheck, Sample, SampleBuffer

PERIOD_NS = 80_000_000


def sample(stamp_ns: int) -> Sample:
    return Sample(stamp_ns, 1.0, (0.0, 0.0, 0.0))


def test_only_the_first_image_begins_an_episode():
    tracker = EpisodeTracker(0.08)
    assert [tracker.begins(n * PERIOD_NS) is not None for n in range(1, 5)] == [True, False, False, False]


def test_the_image_of_the_last_tick_belongs_to_the_episode_that_ends_with_it():
    tracker = EpisodeTracker(0.08)
    tracker.begins(PERIOD_NS)
    tracker.episode_ended(2 * PERIOD_NS)
    assert tracker.begins(2 * PERIOD_NS) is None
    beginning = tracker.begins(3 * PERIOD_NS)
    assert "ended" in beginning.reason and not beginning.fault
    assert tracker.begins(4 * PERIOD_NS) is None


def test_stamps_that_jump():
    tracker = EpisodeTracker(0.08)
    tracker.begins(100 * PERIOD_NS)
    back = tracker.begins(80 * PERIOD_NS)
    assert "back by 1.600 s" in back.reason and back.fault  # 20 * 0.08
    assert tracker.begins(86 * PERIOD_NS) is None  # 0.48 s: less than 0.5
    forward = tracker.begins(93 * PERIOD_NS)
    assert "forward by 0.560 s" in forward.reason and forward.fault  # 7 * 0.08


def test_a_jump_back_forgets_the_episodes_end_that_was_announced_before_it():
    tracker = EpisodeTracker(0.08)
    tracker.begins(100 * PERIOD_NS)
    tracker.episode_ended(100 * PERIOD_NS)
    assert tracker.begins(10 * PERIOD_NS).fault
    assert tracker.begins(101 * PERIOD_NS).fault  # 91 * 0.08 forward, and no end is known


def test_slow_control_periods_allow_longer_gaps():
    tracker = EpisodeTracker(0.2)
    tracker.begins(0)
    assert tracker.begins(1_000_000_000) is None  # 5 * 0.2 s
    assert tracker.begins(2_000_000_001) is not None


def faults(period_s: float, stamps_s, comparable=True) -> list[str]:
    check = RateCheck(period_s)
    found = [check.fault(round(stamp * 1e9), comparable) for stamp in stamps_s]
    return [fault for fault in found if fault is not None]


@pytest.mark.parametrize("period_s", [0.08, 0.074, 0.086])
def test_periods_within_a_tenth_are_accepted(period_s):
    assert not faults(0.08, [n * period_s for n in range(40)])


@pytest.mark.parametrize("period_s", [0.04, 0.07, 0.09, 0.16])
def test_another_period_is_a_fault_that_names_both(period_s):
    fault = faults(0.08, [n * period_s for n in range(40)])[0]
    assert f"{period_s:.3f} s" in fault and "0.08 s" in fault


@pytest.mark.parametrize(
    ("factor", "images"),
    # The sum of the gaps is more than 0.8 periods off: |0.6 - 1| * 3 = 1.2, 0.2 * 5, 0.12 * 7; all long from 1.5 on.
    [(0.5, 3), (0.6, 3), (0.8, 5), (0.88, 7), (1.12, 7), (1.25, 4), (1.5, 4), (2.0, 4), (3.0, 4)],
)
def test_another_rate_brakes_within_these_images_after_the_right_one_and_from_the_start(factor, images):
    for right_s in ([0.0], [n * 0.08 for n in range(20)]):
        wrong_s = [right_s[-1] + n * factor * 0.08 for n in range(1, 30)]
        found = faults_by_image([*right_s, *wrong_s])[len(right_s) :]
        most = images + (len(right_s) == 1)  # the first image may be late, so it takes one more
        assert next(n for n, fault in enumerate(found, 1) if fault) <= most
        assert all(found[most - 1 :])  # for as long as it stays


def faults_by_image(stamps_s) -> list[bool]:
    check = RateCheck(0.08)
    return [check.fault(round(stamp * 1e9), comparable=True) is not None for stamp in stamps_s]


@pytest.mark.parametrize("jitter", [0.0, 0.1])
@pytest.mark.parametrize("frames_per_s", [20, 22, 25, 27, 30, 35, 40, 60, 100])
def test_a_camera_on_frames_of_its_server_is_never_at_a_wrong_rate(frames_per_s, jitter):
    assert not any(faults_by_image(camera_stamps(frames_per_s, jitter, 3000)[0]))
    assert not any(faults_by_image(camera_stamps(frames_per_s, jitter, 1000, lost=0.01)[0]))


def test_few_images_brake_where_the_frames_of_the_server_vary_by_three_tenths():
    assert sum(faults_by_image(camera_stamps(30, 0.3, 3000)[0])) <= 0.001 * 3000
    assert sum(faults_by_image(camera_stamps(15, 0.1, 3000)[0])) <= 0.01 * 3000


def test_a_stall_and_the_images_that_catch_up_are_no_wrong_rate():
    gaps = [*[1.0] * 10, 2.4, 0.55, 0.55, *[1.0] * 10, 1.4, 1.1, 0.7, 2.1, 0.55, 0.55, *[1.0] * 10]
    for first in ([], [0.33, 0.74]):  # also where the first image is late
        stamps_s = [0.08 * sum([*first, *gaps][:n]) for n in range(len(first) + len(gaps) + 1)]
        assert not any(faults_by_image(stamps_s))


@pytest.mark.parametrize("lost", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("frames_per_s", [20, 25, 30, 60])
def test_the_periods_between_images_are_counted_right_although_the_gaps_differ(frames_per_s, lost):
    check, wrong = RateCheck(0.08), 0
    stamps_s, periods = camera_stamps(frames_per_s, 0.1, 3000, lost)
    for stamp_s, right in list(zip(stamps_s, periods, strict=True))[1:]:
        check.fault(round(stamp_s * 1e9), comparable=True)
        wrong += check.periods != right
    assert wrong <= 0.002 * 3000


def test_a_steady_rate_within_the_tolerance_is_counted_by_its_time():
    check, counted = RateCheck(0.08), 0
    for n in range(1000):
        check.fault(round(n * 0.086 * 1e9), comparable=True)
        counted += check.periods
    assert abs(counted - 1000 * 0.086 / 0.08) < 0.02 * 1000


def test_dropped_images_and_busy_frames_do_not_count():
    assert not faults(0.08, [n * 0.08 for n in range(60) if n % 3])
    assert not faults(0.08, [n * 0.16 for n in range(60)], comparable=False)


def test_a_single_image_that_is_early_or_late_and_jitter_of_the_stamps_do_not_count():
    moved = [n * 0.08 + {20: -0.03, 40: 0.03}.get(n, 0.0) for n in range(60)]  # 0.03 of 4 * 0.08 is less than a tenth
    assert not faults(0.08, moved)
    random = Random(1)
    assert not faults(0.08, [n * 0.08 + random.gauss(0.0, 0.004) for n in range(2000)])


def test_a_rate_is_confirmed_once_it_was_right():
    check = RateCheck(0.08)
    for n in range(8):
        check.fault(n * PERIOD_NS, comparable=True)
    assert not check.confirmed  # 7 gaps
    check.fault(8 * PERIOD_NS, comparable=True)
    assert check.confirmed
    wrong = [check.fault(8 * PERIOD_NS + n * 2 * PERIOD_NS, comparable=True) for n in range(1, 20)]
    assert any(wrong) and check.confirmed
    right = [check.fault(46 * PERIOD_NS + n * PERIOD_NS, comparable=True) for n in range(1, 9)]
    assert right[-1] is None


def test_status_is_found_by_stamp_or_the_newest_before():
    buffer = SampleBuffer(length=3)
    assert buffer.empty
    for stamp in (10, 20, 30, 40):
        buffer.add(sample(stamp))
    assert buffer.at(10) is None and buffer.at(20).stamp_ns == 20
    assert buffer.latest_before(35, 10).stamp_ns == 30
    assert buffer.latest_before(35, 4) is None
    assert buffer.latest_before(15, 100) is None


def test_an_image_that_comes_half_a_second_late_finds_the_sample_of_its_moment_at_1_khz():
    buffer = SampleBuffer()
    for millisecond in range(2000):
        buffer.add(sample(millisecond * 1_000_000))
    assert buffer.latest_before(1_500_300_000, 200_000_000).stamp_ns == 1_500_000_000


def test_status_of_before_a_jump_back_is_forgotten():
    buffer = SampleBuffer()
    buffer.add(sample(1000))
    buffer.add(sample(10))
    assert buffer.at(1000) is None and buffer.at(10) is not None


def test_a_picture_that_repeats_while_moving_is_frozen_until_another_comes():
    camera = FrozenPicture(frames=3)
    assert [camera.seen(b"a", moving=True) for _ in range(5)] == [False, False, False, True, True]  # 3 repetitions
    assert camera.seen(b"a", moving=False)  # the brake has stopped the vehicle: that cures no camera
    assert not camera.seen(b"b", moving=True)
    assert not any(camera.seen(b"b", moving=False) for _ in range(50))  # one that stands may see the same for ever
    assert [camera.seen(b"b", moving=True) for _ in range(3)] == [False, False, True]


def test_a_vehicle_must_move_after_throttle_for_long_enough_since_the_last_brake():
    motion = CommandedMotion(period_s=0.1, throttle_s=0.5)

    def moving(throttle, brake, count):
        found = []
        for _ in range(count):
            motion.sent(throttle, brake)
            found.append(motion.moving)
        return found

    assert moving(0.25, 0.0, 20) == [False] * 19 + [True]  # 20 * 0.1 s * 0.25 = 0.5 s
    assert moving(0.0, 0.0, 5) == [True] * 5  # rolling on
    assert moving(0.0, 0.1, 1) == [False]
    assert moving(0.0, 0.0, 50) == [False] * 50  # it may stand
    assert moving(1.0, 0.0, 6) == [False] * 4 + [True] * 2

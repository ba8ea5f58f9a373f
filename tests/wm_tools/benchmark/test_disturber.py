"""Properties of what stands between a simulator and a planner, whatever the disturbance, seed and delays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_tools.benchmark.disturbance import KINDS, Disturbance, Effects
from wm_tools.benchmark.disturber import BRAKE, Command, LockStepDisturber, RealTimeDisturber
from wm_tools.common.errors import DriveError

PERIOD_NS = 80_000_000
PERIOD_S = 0.08
UNDISTURBED = Disturbance("camera_latency", 0.0)


@st.composite
def disturbances(draw):
    """Any kind, with one of its usual sizes or none."""
    name = draw(st.sampled_from(sorted(KINDS)))
    return Disturbance(name, draw(st.sampled_from((KINDS[name].none, *KINDS[name].sizes))))


def answer(stamp_ns: int) -> Command:
    """A command that tells which frame it answers."""
    return Command(stamp_ns, (stamp_ns // PERIOD_NS % 20 - 10) / 10.0, 0.5, 0.0)


def lock_step(disturbance: Disturbance, ticks: int, seed: int = 0, cameras: int = 1):
    """Drive ``ticks`` ticks with a planner that answers every frame. For each tick: stamps given, commands sent."""
    disturber = LockStepDisturber(Effects(disturbance, seed), PERIOD_S)
    log = []
    for tick in range(1, ticks + 1):
        stamp_ns, images, commands = tick * PERIOD_NS, [], []
        for camera in range(cameras):
            passed = disturber.image(camera, stamp_ns, (camera, stamp_ns))
            images += [image for _, image in passed.images]
            commands += passed.commands
        for shown_ns in dict.fromkeys(image[1] for image in images):
            commands += disturber.command(answer(shown_ns)).commands
        log.append((images, commands))
    return log


@given(disturbances(), st.integers(0, 1000), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_in_lock_step_every_tick_gets_exactly_one_command_and_frames_never_go_back(disturbance, seed, cameras):
    log = lock_step(disturbance, 40, seed, cameras)
    assert [len(commands) for _, commands in log] == [1] * 40
    shown = [stamp for images, _ in log for _, stamp in images]
    assert shown == sorted(shown)
    for images, _ in log:  # all cameras of a frame, or none
        assert [camera for camera, _ in images] == list(range(cameras)) * bool(images)


@pytest.mark.parametrize("name", [name for name in KINDS if not KINDS[name].whole])
def test_a_size_of_nothing_changes_nothing(name):
    for tick, (images, commands) in enumerate(lock_step(Disturbance(name, KINDS[name].none), 10), 1):
        assert images == [(0, tick * PERIOD_NS)]
        assert commands == [answer(tick * PERIOD_NS)]


@given(st.integers(0, 6), st.sampled_from(["camera_latency", "actuator_delay"]))
@settings(deadline=None)
def test_in_lock_step_a_delay_of_whole_periods_is_that_many_ticks(periods, name):
    log = lock_step(Disturbance(name, 80.0 * periods), 20)
    for tick, (_, (command,)) in enumerate(log, 1):
        expected = answer((tick - periods) * PERIOD_NS) if tick > periods else BRAKE
        assert command == expected, tick


def test_a_delay_is_rounded_to_the_nearest_tick():
    # 100 ms are 1.25 periods of 80 ms, 140 ms are 1.75.
    for delay_ms, ticks in ((100.0, 1), (140.0, 2)):
        images, _ = lock_step(Disturbance("camera_latency", delay_ms), 10)[9]
        assert images == [(0, (10 - ticks) * PERIOD_NS)]


def test_a_lost_frame_is_answered_with_the_last_command():
    log = lock_step(Disturbance("dropped_frames", 0.5), 60)
    last = BRAKE
    for images, (command,) in log:
        if images:
            last = answer(images[0][1])
        assert command == last
    assert 0 < sum(not images for images, _ in log) < 60


def test_only_every_nth_command_reaches_the_car_which_keeps_it():
    sent = [commands[0] for _, commands in lock_step(Disturbance("control_divisor", 3.0), 9)]
    assert sent == [answer(stamp * PERIOD_NS) for stamp in (1, 1, 1, 4, 4, 4, 7, 7, 7)]


def test_in_lock_step_a_command_that_nobody_waits_for_goes_nowhere():
    disturber = LockStepDisturber(Effects(UNDISTURBED, 0), PERIOD_S)
    assert disturber.command(answer(PERIOD_NS)).commands == ()
    disturber.image(0, PERIOD_NS, "picture")
    assert disturber.command(Command(0, 0.0, 0.0, 1.0)).commands == ()  # a brake that no image asked for
    assert disturber.command(answer(PERIOD_NS)).commands == (answer(PERIOD_NS),)
    assert disturber.command(answer(PERIOD_NS)).commands == ()  # the same again
    disturber.image(0, 2 * PERIOD_NS, "picture")
    disturber.image(0, 3 * PERIOD_NS, "picture")  # the simulator did not wait any longer
    assert disturber.command(answer(2 * PERIOD_NS)).commands == ()


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(disturbances(), st.lists(st.floats(0.0, 0.2), min_size=1, max_size=40), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_in_real_time_nothing_overtakes_and_nothing_waits_for_ever(disturbance, gaps, seed):
    clock = Clock()
    disturber = RealTimeDisturber(Effects(disturbance, seed), clock)
    images, commands = [], []

    def take(passed):
        images.extend(image for _, image in passed.images)
        commands.extend(command.stamp_ns for command in passed.commands)

    for number, gap_s in enumerate(gaps, 1):
        clock.now_s += gap_s
        take(disturber.image(0, number * PERIOD_NS, number))
        take(disturber.command(answer(number * PERIOD_NS)))
    while (wait_s := disturber.wait_s()) is not None:
        clock.now_s += wait_s + 1e-9
        take(disturber.due())
    assert images == sorted(set(images)) and commands == sorted(set(commands))
    if disturbance.name != "dropped_frames":
        assert images == list(range(1, len(gaps) + 1))
    if disturbance.name != "control_divisor":
        assert len(commands) == len(gaps)


@pytest.mark.parametrize("name", ["camera_latency", "actuator_delay"])
def test_in_real_time_a_delay_is_kept_to_the_clock(name):
    clock = Clock()
    disturber = RealTimeDisturber(Effects(Disturbance(name, 100.0), 0), clock)
    passed = disturber.image(0, PERIOD_NS, "picture") if name == "camera_latency" else disturber.command(answer(1))
    assert passed.images == passed.commands == ()
    assert disturber.wait_s() == pytest.approx(0.1)
    clock.now_s += 0.099
    assert disturber.due().images == disturber.due().commands == ()
    clock.now_s += 0.002
    passed = disturber.due()
    assert len(passed.images) + len(passed.commands) == 1
    assert disturber.wait_s() is None


def test_random_disturbances_have_the_size_they_are_said_to_have():
    # Of 4000 frames each: three standard errors are 0.019 of the share, and 3 % of a standard deviation.
    lost = Effects(Disturbance("dropped_frames", 0.2), 1)
    assert np.mean([lost.loses_frame() for _ in range(4000)]) == pytest.approx(0.2, abs=0.02)
    late = Effects(Disturbance("camera_jitter", 50.0), 1)
    # The mean of |x| of a normal x is std * sqrt(2 / pi).
    assert np.mean([late.frame_delay_s() for _ in range(4000)]) == pytest.approx(0.05 * np.sqrt(2 / np.pi), rel=0.04)
    grey = np.full((100, 100, 3), 128, np.uint8)
    noisy = Effects(Disturbance("image_noise", 10.0), 1).picture(grey).astype(float)
    assert noisy.mean() == pytest.approx(128.0, abs=0.3) and noisy.std() == pytest.approx(10.0, rel=0.03)


def test_brightness_and_gain_are_factors_that_stay_in_range():
    pixels = np.array([[[0, 100, 200]]], np.uint8)
    assert Effects(Disturbance("brightness", 1.5), 0).picture(pixels).tolist() == [[[0, 150, 255]]]
    assert Effects(Disturbance("brightness", 0.5), 0).picture(pixels).tolist() == [[[0, 50, 100]]]
    gain = Effects(Disturbance("steering_gain", 1.5), 0)
    assert [gain.steer(value) for value in (0.2, -0.4, 0.9)] == pytest.approx([0.3, -0.6, 1.0])


@pytest.mark.parametrize(
    "name, size, expected",
    [
        ("fog", 1.0, "expected a disturbance of camera_latency"),
        ("dropped_frames", 1.0, "dropped_frames: expected a number from 0 to 0.95, found 1"),
        ("control_divisor", 2.5, "expected a whole number"),
        ("camera_latency", float("nan"), "found nan"),
    ],
)
def test_what_cannot_be_is_refused_by_name(name, size, expected):
    with pytest.raises(DriveError, match=expected):
        Disturbance(name, size)

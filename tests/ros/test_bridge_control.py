"""wm_sim's bridge on a real graph: waiting, channels, pause, reset, and its ends."""

import math
import signal
import time

import graph
import numpy as np
import pytest
import rclpy
from bridge_probe import bridge_and_probe, parameter_words, stamp_ns
from carla_msgs.msg import CarlaControl, CarlaEgoVehicleControl
from sensor_msgs.msg import Image
from std_msgs.msg import Bool
from timing import limit_s

WAITING = {"synchronous_mode_wait_for_vehicle_control_command": True, "real_time_factor": 0}
BRISK = {"real_time_factor": 4}  # 50 ticks a second: the probe keeps up with every message on a busy machine


def following(probe, stamp: int) -> int:
    """The stamp of the tick after the one with this stamp."""
    stamps = [stamp_ns(msg) for msg in probe.of("vehicle_status")]
    return stamps[stamps.index(stamp) + 1]


def applied(probe):
    return probe.of("vehicle_status")[-1].control


def test_every_tick_waits_for_one_command_and_one_second_at_most():
    with bridge_and_probe(**WAITING) as (_, probe):
        probe.wait_until_connected()
        probe.wait_for(lambda: probe.images())
        probe.spin(0.5)
        before, began = len(probe.images()), time.monotonic()
        probe.spin(2.6)
        # Nobody answers: one tick in each second (2.6 s hold 2 or 3 of them).
        assert 2 <= len(probe.images()) - before <= 3
        probe.answer = lambda msg: probe.send(throttle=0.1)
        before, began = len(probe.images()), time.monotonic()
        probe.wait_for(lambda: len(probe.images()) >= before + 40)
        per_tick = (time.monotonic() - began - 1.0) / 40  # the first answer may end a wait that has begun
        assert per_tick < 0.1, "a command must end the wait at once"
        probe.answer = lambda msg: probe.send(probe.manual_publisher, throttle=0.1)
        probe.spin(1.5)
        before = len(probe.images())
        probe.spin(2.6)
        assert len(probe.images()) - before <= 3, "a command on the inactive channel must not end the wait"


def test_commands_from_before_an_episode_do_not_make_its_own_come_a_tick_late():
    with bridge_and_probe(**WAITING, auto_reset=False, fixed_delta_seconds=0.08) as (_, probe):
        sent = []

        def answer(msg):
            sent.append((stamp_ns(msg), 0.001 * len(sent)))
            probe.send(header=msg.header, steer=sent[-1][1], throttle=0.05)

        probe.answer = answer
        probe.wait_until_connected()
        assert probe.reset(-1).success
        probe.wait_for(lambda: any(msg.truncated or msg.terminated for msg in probe.of("step_result")), 60)
        probe.spin(0.5)  # now the world stands until it is reset
        before = len(sent)
        assert probe.reset(4).success
        for _ in range(3):  # as a planner does that sees no image, while the new track is being made
            probe.send(brake=1.0)
        probe.wait_for(lambda: len(sent) >= before + 20)
        applied_at = {stamp_ns(msg): msg.control.steer for msg in probe.of("vehicle_status")}
        for stamp, steer in sent[before : before + 18]:
            assert applied_at[following(probe, stamp)] == pytest.approx(steer, abs=1e-6)


def test_the_first_interval_of_an_episode_is_as_long_as_the_others():
    with bridge_and_probe(real_time_factor=1, auto_reset=True, wait_for_driver=20.0) as (_, probe):
        probe.wait_until_connected()
        for seed in (5, 6, 7):
            arrivals_s = []
            probe.wait_for(lambda: probe.images())
            # The new episode's stamps begin 1 s after the last tick, which is this one or a later one.
            cut = stamp_ns(probe.images()[-1]) + 900_000_000
            probe.answer = lambda msg, cut=cut, arrivals_s=arrivals_s: (
                stamp_ns(msg) > cut and arrivals_s.append(time.monotonic())
            )
            assert probe.reset(seed).success
            probe.wait_for(lambda arrivals_s=arrivals_s: len(arrivals_s) >= 4)
            probe.answer = None
            assert arrivals_s[1] - arrivals_s[0] > 0.06, "a tick of 0.08 s"


def test_latency_is_reported_and_nan_without_a_command():
    with bridge_and_probe(**WAITING) as (_, probe):
        probe.wait_until_connected()
        probe.wait_for(lambda: len(probe.of("step_result")) >= 2)
        assert math.isnan(probe.of("step_result")[-1].command_latency_ms)

        def answer(msg):
            time.sleep(0.02)
            probe.send(header=msg.header, throttle=0.1)

        probe.answer = answer
        seen = len(probe.of("step_result"))
        probe.wait_for(lambda: len(probe.of("step_result")) >= seen + 20)
        latencies = [msg.command_latency_ms for msg in probe.of("step_result")[seen + 3 :]]
        # At least the 20 ms the answer sleeps, and the drawing and both ways on top; generous for a busy machine.
        assert np.nanmin(latencies) >= 20.0 and np.nanmedian(latencies) < 80.0
        assert not np.isnan(latencies).any()


def test_the_override_selects_the_channel_and_the_autopilot_commands_after_every_tick():
    with bridge_and_probe(**BRISK, seed=3) as (_, probe):
        probe.wait_until_connected()
        probe.wait_for(probe.images)  # what is sent before the first image is for no episode
        probe.send(steer=0.25)
        probe.wait_for(lambda: probe.of("vehicle_status") and applied(probe).steer == 0.25)
        probe.send(probe.manual_publisher, steer=-0.5, brake=0.5)
        probe.spin(0.3)
        assert applied(probe).steer == 0.25
        probe.override_publisher.publish(Bool(data=True))
        probe.spin(0.3)
        probe.send(probe.manual_publisher, steer=-0.5, brake=0.5)
        probe.wait_for(lambda: applied(probe).steer == -0.5)
        probe.send(steer=0.25)
        probe.autopilot_publisher.publish(Bool(data=True))
        probe.wait_for(lambda: applied(probe).steer not in (0.25, -0.5))
        probe.spin(0.3)
        statuses = probe.of("vehicle_status")[-6:]

        def experts():
            return {stamp_ns(msg): msg for msg in probe.of("expert_control")}

        probe.wait_for(lambda: {stamp_ns(status) for status in statuses} <= set(experts()))  # two topics have no order
        for before, status in zip(statuses, statuses[1:], strict=False):
            expert = experts()[stamp_ns(before)]  # what it wanted when the interval began
            assert (status.control.steer, status.control.throttle) == (expert.steer, expert.throttle)


def test_a_command_under_the_autopilot_is_applied():
    """As by CARLA's bridge: a copy of the last control as the answer to each tick keeps the car where it stands."""
    with bridge_and_probe(**WAITING, autopilot=True, seed=3) as (_, probe):
        probe.wait_until_connected()
        probe.answer = lambda msg: probe.send(throttle=0.125)
        probe.wait_for(lambda: len(probe.images()) > 10)
        assert {msg.control.throttle for msg in probe.of("vehicle_status")[-6:]} == {0.125}


def test_values_out_of_range_are_reported_as_they_came_and_the_car_has_its_limits():
    with bridge_and_probe(**BRISK) as (process, probe):
        probe.wait_until_connected()
        probe.wait_for(probe.images)  # what is sent before the first image is for no episode
        probe.send(steer=-3.0, throttle=7.0)
        probe.wait_for(lambda: probe.of("vehicle_status") and applied(probe).throttle == 7.0)
        assert applied(probe).steer == -3.0
        probe.send(steer=math.nan, brake=1.0)
        probe.wait_for(lambda: math.isnan(applied(probe).steer))
        seen = len(probe.of("odometry"))
        probe.wait_for(lambda: len(probe.of("odometry")) > seen + 5)
        assert math.isfinite(probe.of("odometry")[-1].pose.pose.position.x)
        warnings = [line for line in process.output().splitlines() if "out of range" in line]
        assert 1 <= len(warnings) <= 2, "warnings are throttled"


def test_pause_step_once_and_play():
    with bridge_and_probe(**BRISK, autopilot=True) as (_, probe):
        probe.wait_until_connected()
        probe.wait_for(lambda: len(probe.images()) > 5)
        probe.carla_control(CarlaControl.PAUSE)
        probe.wait_for(lambda: not probe.of("/carla/status")[-1].synchronous_mode_running)
        probe.spin(0.3)
        standing = len(probe.images())
        probe.spin(0.5)
        assert len(probe.images()) == standing
        for count in (1, 2):
            probe.carla_control(CarlaControl.STEP_ONCE)
            probe.spin(0.4)
            assert len(probe.images()) == standing + count
            running = [msg.synchronous_mode_running for msg in probe.of("/carla/status")[-3:]]
            assert running == [True, True, False], "it says that it runs, makes its tick and says that it stands"
        probe.carla_control(CarlaControl.PLAY)
        probe.wait_for(lambda: len(probe.images()) > standing + 10)
        assert probe.of("/carla/status")[-1].synchronous_mode_running


def test_reset_with_a_seed_shows_the_same_first_image_and_minus_one_the_next_track():
    with bridge_and_probe(**BRISK, autopilot=True, seed=5) as (_, probe):
        probe.wait_until_connected()
        firsts = []
        for seed in (77, -1, 77):
            answer = probe.reset(seed)
            # On a busy machine the autopilot may have ended that drive meanwhile, and be on a further track.
            assert answer.success and (answer.seed > 77 if seed == -1 else answer.seed == seed), answer.message
            seen = len(probe.images())

            def first_image(seen=seen):
                stamps = [stamp_ns(msg) for msg in probe.images()]
                cuts = [k for k in range(1, len(stamps)) if stamps[k] - stamps[k - 1] > 900_000_000]
                return probe.images()[cuts[-1]] if cuts and cuts[-1] >= seen - 1 else None

            firsts.append(bytes(probe.wait_for(first_image).data))
            probe.spin(0.3)
        assert firsts[0] == firsts[2] != firsts[1]
        refused = probe.reset(-5)
        assert not refused.success and "-5" in refused.message


def test_without_auto_reset_the_world_stands_until_reset_is_called():
    with bridge_and_probe(**BRISK, auto_reset=False, seed=0) as (_, probe):
        probe.wait_until_connected()
        probe.answer = lambda msg: probe.send(throttle=0.4)
        probe.spin(0.5)
        assert not probe.images(), "it stands before the first episode too"
        assert probe.reset(-1).seed == 0
        probe.wait_for(lambda: [msg for msg in probe.of("step_result") if msg.terminated])
        probe.spin(0.3)
        standing = len(probe.images())
        probe.spin(0.5)
        assert len(probe.images()) == standing
        assert probe.reset(-1).seed == 1
        probe.wait_for(lambda: len(probe.images()) > standing + 3)


def test_real_time_factor_sets_the_pace():
    with bridge_and_probe(real_time_factor=2.0, autopilot=True) as (_, probe):
        probe.wait_for(lambda: len(probe.images()) > 3)
        before, began = len(probe.images()), time.monotonic()
        probe.wait_for(lambda: len(probe.images()) >= before + 50)
        # 50 ticks of 0.08 s at twice real time are 2.0 s.
        assert 1.65 < time.monotonic() - began < limit_s(2.35)


def test_the_first_tick_waits_for_the_driver():
    domain_id = graph.fresh_domain_id()
    with graph.start(
        "wm_sim",
        "bridge",
        *parameter_words({"wait_for_driver": 1, "episodes": 1, "autopilot": True, "real_time_factor": 0}),
        domain_id=domain_id,
    ) as process:
        process.wait_for_output("no driver connected within wait_for_driver = 1.0 s", 20.0)
        assert process.wait(60.0) == 0
    with bridge_and_probe(wait_for_driver=30, real_time_factor=0, seed=9) as (_, probe):
        probe.wait_for(lambda: probe.images())
        assert stamp_ns(probe.images()[0]) == 34_270_000_000, "the first image reaches the driver"


def test_who_only_looks_and_who_only_commands_are_no_driver():
    domain_id = graph.fresh_domain_id()
    with graph.rclpy_context(domain_id) as context:
        looks, commands = (rclpy.create_node(name, context=context) for name in ("recorder", "watchdog"))
        looks.create_subscription(Image, "/carla/ego_vehicle/rgb_front/image", lambda message: None, 1)
        publisher = commands.create_publisher(CarlaEgoVehicleControl, "/carla/ego_vehicle/vehicle_control_cmd", 1)
        with graph.start(
            "wm_sim",
            "bridge",
            *parameter_words({"wait_for_driver": 3, "episodes": 1, "autopilot": False, "real_time_factor": 0}),
            domain_id=domain_id,
        ) as process:
            process.wait_for_output("no driver connected within wait_for_driver = 3.0 s", 20.0)
            assert publisher.get_subscription_count() == 1  # the simulator knew of both
        looks.destroy_node()
        commands.destroy_node()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(number):
    with bridge_and_probe(**WAITING) as (process, probe):
        probe.wait_for(lambda: probe.images())
        process.process.send_signal(number)
        assert process.wait(5.0) == 0
        assert "Traceback" not in process.output()


@pytest.mark.parametrize(
    "words, message",
    [
        (["surplus"], "unknown argument surplus"),
        (["--ros-args", "-p", "sead:=1"], "unknown parameter sead; did you mean seed?"),
        (["--ros-args", "-p", "seed:=one"], "parameter seed: expected int"),
        (["--ros-args", "-p", "fixed_delta_seconds:=0.05"], "0.02, 0.04, 0.06 or 0.08"),
        (["--ros-args", "-p"], "Couldn't parse trailing -p flag"),
        (["--ros-args", "--surplus"], "--surplus"),
    ],
)
def test_bad_arguments_end_it_with_one_message(words, message):
    with graph.start("wm_sim", "bridge", *words, domain_id=graph.fresh_domain_id()) as process:
        assert process.wait(30.0) == 2
        assert "bridge: " in process.output() and message in process.output()
        assert "Traceback" not in process.output()

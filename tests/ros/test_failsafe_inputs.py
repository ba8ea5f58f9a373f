"""Messages and parameters nobody should send: the planner and the watchdog stay up and say what is wrong."""

import array
import random
import signal
import time

import graph
import pytest
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from failsafe_rig import ROOT, SETTLE_S, START_S, Rig, is_brake, start_planner, start_watchdog, until_watching
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Float32
from tiny_bundle import make_tiny_bundle
from wm_msgs.msg import PlannerStatus, StepResult

FUZZED = 1000  # messages on every input
ODD_NUMBERS = (float("nan"), float("inf"), float("-inf"), 0.0, -1.0, 1.0, 1e30, -1e30, 1e-30)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("failsafe_inputs") / "bundle")


@pytest.fixture(scope="module")
def domain():
    return graph.fresh_domain_id()


@pytest.fixture(scope="module")
def rig(domain):
    with graph.rclpy_context(domain) as context:
        rig = Rig(context)
        yield rig
        rig.close()


class Fuzzer:
    """Fills messages at random, odd values being frequent."""

    def __init__(self, seed: int):
        self._random = random.Random(seed)

    def number(self) -> float:
        return self._random.choice((*ODD_NUMBERS, self._random.uniform(-100.0, 100.0)))

    def stamp(self, message) -> None:
        message.header.stamp.sec = self._random.choice((0, 1, -1, 2**31 - 1, -(2**31), self._random.randrange(1000)))
        message.header.stamp.nanosec = self._random.choice((0, 2**32 - 1, 10**9 - 1, self._random.randrange(10**9)))
        message.header.frame_id = self._random.choice(("", "x" * 300, "ego_vehicle/rgb_front"))

    def image(self) -> Image:
        pick = self._random.choice
        message = Image(
            height=pick((0, 1, 95, 96, 97, 2**32 - 1)),
            width=pick((0, 1, 95, 96, 97, 2**32 - 1)),
            step=pick((0, 1, 96, 288, 384, 385, 2**32 - 1)),
            encoding=pick(("bgra8", "rgb8", "mono8", "bayer_rggb8", "yuv422", "32FC1", "", "jpeg", "ü")),
            is_bigendian=pick((0, 1, 255)),
        )
        message.data = array.array("B", self._random.randbytes(pick((0, 1, 100, 96 * 96 * 3, 96 * 96 * 4))))
        self.stamp(message)
        return message

    def vehicle_status(self) -> CarlaEgoVehicleStatus:
        message = CarlaEgoVehicleStatus(velocity=self.number(), control=self.control())
        self.stamp(message)
        return message

    def control(self) -> CarlaEgoVehicleControl:
        message = CarlaEgoVehicleControl(
            throttle=self.number(),
            steer=self.number(),
            brake=self.number(),
            gear=self._random.choice((-(2**31), -1, 0, 2, 2**31 - 1)),
        )  # never ours
        self.stamp(message)
        return message

    def step_result(self) -> StepResult:
        message = StepResult(
            reward=self.number(), terminated=self._random.random() < 0.3, truncated=self._random.random() < 0.3
        )
        self.stamp(message)
        return message

    def odometry(self) -> Odometry:
        message = Odometry()
        message.twist.twist.linear.x, message.twist.twist.linear.y = self.number(), self.number()
        self.stamp(message)
        return message

    def speedometer(self) -> Float32:
        return Float32(data=self.number())

    def planner_status(self) -> PlannerStatus:
        message = PlannerStatus(
            mode=self._random.randrange(256),
            reason="?" * self._random.randrange(300),
            bundle_id=self._random.choice(("", "command_watchdog", "another")),
            latency_ms=self.number(),
        )
        self.stamp(message)
        return message


def test_a_thousand_random_messages_on_every_input_end_nothing_and_get_into_no_command(rig, domain, bundle):
    fuzzer = Fuzzer(seed=4)
    inputs = [
        (Image, "rgb_front/image", fuzzer.image),
        (CarlaEgoVehicleStatus, "vehicle_status", fuzzer.vehicle_status),
        (StepResult, "step_result", fuzzer.step_result),
        (Odometry, "odometry", fuzzer.odometry),
        (Float32, "speedometer", fuzzer.speedometer),
        (PlannerStatus, "planner/status", fuzzer.planner_status),
        (CarlaEgoVehicleControl, "vehicle_control_cmd", fuzzer.control),
    ]
    answers = []
    rig.node.create_subscription(
        PlannerStatus,
        f"{ROOT}/planner/status",
        lambda message: answers.append(message.mode) if message.bundle_id == "tiny-test" else None,
        QoSProfile(depth=1000),
    )
    with start_watchdog(domain) as watchdog, start_planner(domain, bundle) as planner:
        rig.until_driving(count=20)  # so that the images' rate is known to be right
        until_watching(rig, watchdog)
        publishers = [
            (rig.node.create_publisher(kind, f"{ROOT}/{topic}", QoSProfile(depth=10)), make)
            for kind, topic, make in inputs
        ]
        rig.until(lambda: all(publisher.get_subscription_count() > 0 for publisher, _ in publishers[:3]), START_S)
        for _ in range(FUZZED):
            before = len(answers)
            for publisher, make in reversed(publishers):  # the image last, as a simulator does
                publisher.publish(make())
            rig.until(lambda before=before: len(answers) > before, 5.0)  # good ticks go on in between
        for publisher, _ in publishers:
            rig.node.destroy_publisher(publisher)
        rig.until_driving()
        for process in (planner, watchdog):
            assert process.process.poll() is None, process.output()
            assert "Traceback" not in process.output() and "internal error" not in process.output(), process.output()
    ours = [message for _, message in rig.commands if message.gear == 1]
    assert len(ours) >= FUZZED
    for message in ours:
        assert -1.0 <= message.steer <= 1.0 and 0.0 <= message.throttle <= 1.0 and 0.0 <= message.brake <= 1.0
        assert message.throttle == 0.0 or message.brake == 0.0
    print(
        f"\n{len(answers)} answers to {FUZZED} random messages on each of {len(inputs)} topics, "
        f"{answers.count(PlannerStatus.MODE_BRAKING)} of them brakes"
    )


def test_a_second_publisher_of_commands_is_reported_and_the_watchdog_is_none(rig, domain, bundle):
    lines: list[DiagnosticStatus] = []
    rig.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda message: lines.extend(message.status), QoSProfile(depth=100)
    )

    def last(name: str) -> DiagnosticStatus | None:
        return next((line for line in reversed(lines) if line.name == name), None)

    with start_watchdog(domain) as watchdog, start_planner(domain, bundle) as planner:
        rig.until_driving()
        until_watching(rig, watchdog)
        rig.until(lambda: last("wm_planner: topics") is not None, START_S)
        rig.run_for(2.5)
        assert last("wm_planner: topics").level == DiagnosticStatus.OK, last("wm_planner: topics").message
        second = rig.node.create_publisher(CarlaEgoVehicleControl, f"{ROOT}/vehicle_control_cmd", QoSProfile(depth=10))
        rig.until(lambda: last("wm_planner: topics").level == DiagnosticStatus.ERROR, START_S)
        assert "vehicle_control_cmd" in last("wm_planner: topics").message
        rig.node.destroy_publisher(second)
        rig.until(lambda: last("wm_planner: topics").level == DiagnosticStatus.OK, START_S)
        assert "vehicle_control_cmd" in planner.output()


@pytest.mark.parametrize("brake, sent", [(0.0, 1), (1.0, 0)])
def test_a_watchdog_that_is_ended_brakes_first_if_the_vehicle_may_move(rig, domain, brake, sent):
    control = rig.node.create_publisher(CarlaEgoVehicleControl, f"{ROOT}/vehicle_control_cmd", QoSProfile(depth=10))
    with start_watchdog(domain, "timeout_s:=30.0") as watchdog:
        rig.until(lambda: control.get_subscription_count() == 2, START_S)  # the rig's own and the watchdog's
        rig.run_for(SETTLE_S)
        deadline_s = time.monotonic() + START_S
        while "watching: " not in watchdog.output() and time.monotonic() < deadline_s:
            # More than once: that we know of the watchdog does not mean that it knows of us.
            control.publish(CarlaEgoVehicleControl(throttle=0.0, brake=brake))
            rig.run_for(SETTLE_S)
        until_watching(rig, watchdog)
        rig.commands.clear()
        watchdog.process.send_signal(signal.SIGTERM)
        rig.until(lambda: watchdog.process.poll() is not None, START_S)
        assert watchdog.process.returncode == 0
        rig.run_for(0.2)
    assert [message.header.frame_id for _, message in rig.commands if is_brake(message)] == (
        ["wm_command_watchdog"] * sent
    )
    rig.node.destroy_publisher(control)


@pytest.mark.parametrize(
    "executable, parameter, message",
    [
        ("planner", "surprise_frames:=0", "parameter surprise_frames: expected 1 to 1000"),
        ("planner", "image_timeout_s:=99.0", "parameter image_timeout_s: expected 0.02 to 10.0 s, found 99.0"),
        ("planner", "frozen_speed:=.nan", "parameter frozen_speed: expected 0.0 to 1000.0 m/s, found nan"),
        ("command_watchdog", "timeout_s:=0.0", "timeout_s"),
        ("command_watchdog", "timeout_s:=soon", "timeout_s"),
        ("command_watchdog", "timeuot_s:=0.1", "unknown parameter timeuot_s"),
        ("command_watchdog", "role_name:=two words", "role_name: expected a ROS name"),
    ],
)
def test_a_parameter_out_of_range_is_refused_with_one_message(domain, executable, parameter, message):
    begin_s = time.monotonic()
    with graph.start("wm_planner", executable, "--ros-args", "-p", parameter, domain_id=domain) as process:
        assert process.wait(START_S) == 2
        lines = process.output().splitlines()
    assert len(lines) == 1 and message in lines[0], lines
    assert time.monotonic() - begin_s < START_S

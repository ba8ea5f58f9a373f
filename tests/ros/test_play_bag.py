"""`play_bag` over a real graph: what comes, when, and under which names."""

import signal
import time

import graph
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleStatus
from fixtures_rosbag import CAMERA, VEHICLE, Recording, drive, write_bag, write_bare_mcap, write_ros1_bag
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger
from timing import limit_s

TICKS = 20  # every 0.1 s: 1.9 s from the first to the last
START_S = 60.0
STATUS = f"{VEHICLE}/vehicle_status"


class Listener:
    """Keeps (arrival, message) of some topics."""

    def __init__(self, context):
        self.node = rclpy.create_node("listener", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.heard = {}

    def listen(self, kind: type, topic: str) -> list:
        heard = self.heard[topic] = []
        self.node.create_subscription(
            kind, topic, lambda message: heard.append((time.monotonic(), message)), QoSProfile(depth=100)
        )
        return heard

    def hear(self, seconds: float) -> None:
        """Hear for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.executor.spin_once(timeout_sec=0.05)

    def until(self, holds, process: graph.GraphProcess) -> None:
        """Hear until ``holds()``."""
        deadline_s = time.monotonic() + START_S
        while not holds():
            assert time.monotonic() < deadline_s and process.process.poll() is None, process.output()
            self.executor.spin_once(timeout_sec=0.05)

    def ask(self, client, request, process: graph.GraphProcess):
        """A service's answer."""
        answer = client.call_async(request)
        self.until(answer.done, process)
        return answer.result()

    def until_end(self, process: graph.GraphProcess) -> int:
        """Hear until the player has ended; returns its exit code."""
        deadline_s = time.monotonic() + START_S
        while process.process.poll() is None:
            assert time.monotonic() < deadline_s, process.output()
            self.executor.spin_once(timeout_sec=0.05)
        for _ in range(20):
            self.executor.spin_once(timeout_sec=0.01)
        return process.process.returncode


@pytest.fixture
def listening():
    """(listener, function that starts the player)"""
    domain = graph.fresh_domain_id()
    with graph.rclpy_context(domain) as context:
        listener = Listener(context)
        yield listener, lambda *words: graph.start("wm_planner", "play_bag", *map(str, words), domain_id=domain)
        listener.executor.shutdown()
        listener.node.destroy_node()


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("play") / "bag", drive(TICKS))


def ticks(heard: list) -> list[int]:
    stamps = [message.header.stamp for _, message in heard]
    return [round((stamp.sec + stamp.nanosec * 1e-9 - 1.0) / 0.1) for stamp in stamps]


def test_everything_comes_in_order_and_at_the_pace_of_the_recording(listening, bag):
    listener, play = listening
    pictures, statuses = listener.listen(Image, CAMERA), listener.listen(CarlaEgoVehicleStatus, STATUS)
    with play(bag, "--rate", 2, "--wait-for-subscribers", 1) as process:
        assert listener.until_end(process) == 0, process.output()
        assert f"play_bag: {4 * TICKS} messages in" in process.output()
    assert ticks(pictures) == ticks(statuses) == list(range(TICKS))
    assert bytes(pictures[3][1].data[:1]) == bytes([21])  # shade(3)
    took_s = pictures[-1][0] - pictures[0][0]
    assert 0.8 < took_s < limit_s(1.1)  # 1.9 s at twice the pace are 0.95 s


def test_a_part_is_played_under_other_names_with_a_clock(listening, bag):
    listener, play = listening
    renamed = listener.listen(CarlaEgoVehicleStatus, "/recorded/status")
    pictures, clock = listener.listen(Image, CAMERA), listener.listen(Clock, "/clock")
    part = ("--start-offset", 0.5, "--playback-duration", 1.0, "--topics", STATUS, CAMERA, "--exclude-topics", CAMERA)
    with play(
        bag, *part, "--remap", f"{STATUS}:=/recorded/status", "--clock", 50, "--wait-for-subscribers", 1
    ) as process:
        assert listener.until_end(process) == 0, process.output()
    assert ticks(renamed) == list(range(5, 16))
    assert pictures == []
    times = [_seconds(message) for _, message in clock]
    assert times == sorted(times)
    assert 30 < len(times) <= 52  # 1.0 s with 50 of them in a second
    assert 1.5 <= times[0] < 1.8 and 2.3 < times[-1] <= 2.52  # recording began at 1.001 s


def test_a_ros_1_bag_is_played(listening, tmp_path):
    listener, play = listening
    pictures = listener.listen(Image, CAMERA)
    with play(write_ros1_bag(tmp_path / "a.bag", drive(5)), "--wait-for-subscribers", 1) as process:
        assert listener.until_end(process) == 0, process.output()
    assert ticks(pictures) == [0, 1, 2, 3, 4]


def test_gaps_of_years_and_steps_back_of_the_recording_clock_are_said_and_not_waited_for(listening, tmp_path):
    """Of a recorder that began at time 0, whose clock was set right, set back, and whose last numbers are damaged."""
    listener, play = listening
    pictures, clock = listener.listen(Image, CAMERA), listener.listen(Clock, "/clock")
    moved = {0: -(10**9), 1: 10**18, 2: 10**18 + 200 * 86400 * 10**9, 3: 10**18, 4: 2**63 - 5 * 10**9}
    whole = drive(20)
    recording = Recording(
        [
            (topic, kind, log_ns + moved[place // 16] - (place < 16) * (log_ns - 10**9), fields)
            for place, (topic, kind, log_ns, fields) in enumerate(whole.messages)
        ]
    )
    with play(write_bag(tmp_path / "bag", recording), "--clock", 50, "--wait-for-subscribers", 1) as process:
        assert listener.until_end(process) == 0, process.output()
        said = process.output()
    assert ticks(pictures) == list(range(20))
    assert "at 0.00 s nothing was recorded for 32 years, more than --max-gap: skipped" in said
    assert "nothing was recorded for 200 days" in said and "the times of recording go back by 200 days" in said
    assert "nothing was recorded for 261 years" in said and "Traceback" not in said
    assert max(_seconds(message) for _, message in clock) < 10**9 + 201 * 86400


def test_a_loop_begins_again_until_it_is_interrupted(listening, bag):
    listener, play = listening
    pictures = listener.listen(Image, CAMERA)
    with play(bag, "--rate", 20, "--loop", "--wait-for-subscribers", 1) as process:
        deadline_s = time.monotonic() + START_S
        while ticks(pictures).count(0) < 3:
            assert time.monotonic() < deadline_s, process.output()
            listener.executor.spin_once(timeout_sec=0.05)
        assert process.stop(START_S) == 128 + signal.SIGINT
        assert "Traceback" not in process.output()


def test_a_paused_bag_is_stepped_picture_by_picture_and_then_goes_on(listening, bag):
    listener, play = listening
    pictures, statuses = listener.listen(Image, CAMERA), listener.listen(CarlaEgoVehicleStatus, STATUS)
    clock = listener.listen(Clock, "/clock")
    pause = listener.node.create_client(SetBool, "/play_bag/pause")
    step = listener.node.create_client(Trigger, "/play_bag/step")
    with play(bag, "--start-paused", "--clock", 40, "--rate", 4, "--wait-for-subscribers", 1) as process:
        listener.until(lambda: step.service_is_ready() and pause.service_is_ready(), process)
        for count in (1, 2):
            assert listener.ask(step, Trigger.Request(), process).success
            listener.until(lambda count=count: len(pictures) >= count, process)
        listener.hear(0.5)  # two seconds of the recording, were it not paused
        # A tick's status comes before its picture, and nothing of the next one.
        assert ticks(pictures) == ticks(statuses) == [0, 1]
        assert 1.1 <= _seconds(clock[-1][1]) <= 1.12  # the clock was stepped with it: recording began at 1.001 s
        assert listener.ask(pause, SetBool.Request(data=False), process).message == "playing"
        assert not listener.ask(step, Trigger.Request(), process).success
        assert listener.until_end(process) == 0, process.output()
        output = process.output()
    assert ticks(pictures) == ticks(statuses) == list(range(TICKS))
    assert "play_bag: paused at 0.00 s" in output and "play_bag: stepped to 0.10 s" in output
    times = [_seconds(message) for _, message in clock]
    assert times == sorted(times)


def _seconds(message: Clock) -> float:
    return message.clock.sec + message.clock.nanosec * 1e-9


def test_what_cannot_be_played_gives_one_line_and_no_traceback(tmp_path):
    whole = write_bare_mcap(tmp_path / "whole.mcap", drive(5))
    (tmp_path / "cut.mcap").write_bytes(whole.read_bytes()[:-100])
    domain = graph.fresh_domain_id()
    for words, code, said in (
        ([tmp_path / "cut.mcap"], 1, "--recover"),
        ([whole, "--start-offset", 60], 1, "no message in the part"),
        ([whole, "--topics", "/none"], 1, "no topic /none"),
        ([whole, "--wait-for-subscribers", 1, "--wait-timeout", 0.2], 1, "not there within"),
    ):
        with graph.start("wm_planner", "play_bag", *map(str, words), domain_id=domain) as process:
            assert process.wait(START_S) == code, process.output()
            lines = [line for line in process.output().splitlines() if not line.startswith("play_bag: playing")]
        assert len(lines) == 1 and lines[0].startswith("play_bag: ") and said in lines[0], lines

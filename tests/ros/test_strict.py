"""wm_sim with `strict` and with faults: what the real bridge does at a start, in lock-step and when a thing breaks."""

import json
import shutil
import signal
import time
from collections import Counter

import graph
import pytest
import rclpy
from bridge_listener import Listener, check_tick, expected_order
from bridge_probe import EGO, bridge_and_probe, parameter_words, stamp_ns
from bridge_table import SPAWN
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from tiny_bundle import make_tiny_bundle

WAITING = {"synchronous_mode_wait_for_vehicle_control_command": True, "real_time_factor": 0}
STRICT = {**WAITING, "strict": True}
EMPTY_TICKS = 1000  # before the car


def heard(probe) -> list[tuple[float, int]]:
    """(wall time, stamp) of every /clock from now on."""
    times = []
    probe.node.create_subscription(Clock, "/clock", lambda msg: times.append((time.monotonic(), stamp_ns(msg))), 100)
    return times


def frame_of(stamp: int) -> int:
    """A tick's number, by its stamp; 0 begins the world."""
    return round((stamp * 1e-9 - 34.27) / 0.08)


def statuses(probe) -> list[int]:
    return [stamp_ns(msg) for msg in probe.of("vehicle_status")]


@pytest.fixture(scope="module")
def strict():
    """The strict simulator and a driver that says nothing, at its third picture."""
    with bridge_and_probe(**STRICT, seed=3, wait_for_driver=30) as (process, probe):
        probe.process, probe.clocks = process, heard(probe)
        probe.wait_for(lambda: len(probe.images()) >= 3, 60.0)
        yield probe


def test_the_world_ticks_long_before_the_car_and_its_first_tick_is_not_waited_for(strict):
    frames = [frame_of(stamp) for _, stamp in strict.clocks]
    first = frame_of(stamp_ns(strict.images()[0])) - 2
    assert first > EMPTY_TICKS and frames[0] < first - 10
    waits = {
        frame: later - earlier
        for frame, (earlier, _), (later, _) in zip(frames, strict.clocks, strict.clocks[1:], strict=False)
    }
    assert waits[first] < 0.9 and waits[first + 1] > 0.95 and waits[first + 2] > 0.95


def test_sensors_come_after_the_car_and_pictures_last(strict):
    first = frame_of(stamp_ns(strict.images()[0])) - 2
    # What a topic sends just after it appears, nobody hears yet.
    for topic, ticks in (("vehicle_status", (0, 1, 2)), ("odometry", (1, 2)), ("rgb_front/camera_info", (2,))):
        assert frame_of(stamp_ns(strict.of(topic)[0])) - first in ticks, topic


def test_one_command_too_many_puts_the_driver_a_tick_ahead_until_it_leaves_some_out(strict):
    sent: dict[int, float] = {}  # steer by the stamp of the picture it answers
    orders = []  # how many commands the next pictures get

    def answer(msg):
        count = orders.pop(0) if orders else 1
        if count:
            sent[stamp_ns(msg)] = 0.001 * len(sent)
        for _ in range(count):
            strict.send(header=msg.header, steer=sent[stamp_ns(msg)])

    def lag(more: int = 14) -> int:
        """How many ticks after its picture a command acts, as ``more`` of them show; 1 is in step."""
        before = len(sent)
        strict.wait_for(lambda: len(sent) >= before + more)
        stamps, acted = statuses(strict), {}
        for stamp, msg in zip(stamps, strict.of("vehicle_status"), strict=True):
            acted.setdefault(round(msg.control.steer, 4), stamp)
        last = [stamp for stamp in sent if round(sent[stamp], 4) in acted][-8:-1]
        found = Counter(stamps.index(acted[round(sent[stamp], 4)]) - stamps.index(stamp) for stamp in last)
        return found.most_common()[0][0]

    strict.answer = answer
    assert lag() == 1
    for _ in range(10):  # one that comes together with the answer makes no difference
        orders.append(2)
        if lag() > 1:
            break
    else:
        pytest.fail("no command too many counted as an answer")
    left_out = 0
    while lag() > 1:
        left_out += 1
        assert left_out <= 3
        orders += [0] * left_out


def test_another_episode_is_another_server(strict):
    strict.answer = lambda msg: strict.send(header=msg.header)
    strict.spin(0.3)
    before = strict.clocks[-1][1]
    assert strict.reset(-1).success
    strict.wait_for(lambda: strict.clocks[-1][1] < before)
    seen = len(strict.images())
    strict.wait_for(lambda: len(strict.images()) > seen + 5, 60.0)
    assert EMPTY_TICKS < frame_of(stamp_ns(strict.images()[-1])) < EMPTY_TICKS + 30
    ids = [msg.id for msg in strict.of("vehicle_info")]
    assert len(ids) == len(set(ids)) == 2


def test_with_a_spawn_file_it_has_the_bridges_order_once_all_sensors_are_there(tmp_path):
    file, domain_id = tmp_path / "spawn.json", graph.fresh_domain_id()
    file.write_text(json.dumps(SPAWN))
    words = parameter_words({**STRICT, "objects_definition_file": file, "wait_for_driver": 30})
    with graph.rclpy_context(domain_id) as context:
        listener = Listener(context)
        listener.throttle = 0.3
        with graph.start("wm_sim", "bridge", *words, domain_id=domain_id):
            listener.wait_for(lambda: listener.has_ticks(12), 60.0)
            listener.throttle = None
            listener.spin(1.5)
        listener.close()
    whole = listener.whole_ticks()
    assert len(whole) >= 10
    for tick in whole:
        check_tick(tick)
    ticks = [tick for tick in listener.all_ticks() if tick[0][0] < whole[0][0][0]]
    begun = [[topic for _, topic, _ in tick] for tick in ticks]
    assert all(topics == [topic for topic, _ in expected_order(set())][: len(topics)] for topics in begun)
    # Topics are connected one by one, while ticks go on: those of before the last one say nothing.
    sent = sorted((sent_ns, topic) for sent_ns, topic, _ in listener.log)
    alone = ("/carla/status", "/clock", "/carla/markers")
    there_ns = max(next(sent_ns for sent_ns, topic in sent if topic == wanted) for wanted in alone)
    heard = [topics for tick, topics in zip(ticks, begun, strict=True) if tick[-1][0] >= there_ns]
    # The first one may have begun before the listener was there.
    assert list(alone) in heard[:2], "the world without a car"


def drive(faults: str, **parameters):
    """The simulator with these faults, and a driver that answers every picture."""
    return bridge_and_probe(**WAITING, wait_for_driver=30, faults=faults, **parameters)


def test_a_stall_is_as_long_as_ordered_and_the_drive_goes_on():
    with drive("stall:1.5@20") as (_, probe):
        clocks = heard(probe)
        probe.answer = lambda msg: probe.send(header=msg.header)
        probe.wait_for(lambda: len(probe.images()) > 30)
        gaps = [later[0] - earlier[0] for earlier, later in zip(clocks, clocks[1:], strict=False)]
        assert 1.4 < max(gaps) < 2.5 and gaps.index(max(gaps)) == 18  # from the 19th tick to the 20th


def test_after_a_reload_no_tick_comes_and_the_process_stays():
    with drive("reload@10") as (process, probe):
        probe.answer = lambda msg: probe.send(header=msg.header)
        probe.wait_for(lambda: "reload@10" in process.output())
        probe.spin(2.0)
        assert len(probe.of("/clock")) == len(probe.images()) == 9
        assert process.process.poll() is None and probe.node.count_publishers(EGO + "vehicle_status") == 1
        process.process.send_signal(signal.SIGINT)
        assert process.wait(10.0) == 0


def test_when_the_car_is_destroyed_its_topics_fall_silent_and_the_world_ticks_on():
    with drive("destroy@10") as (process, probe):
        probe.answer = lambda msg: probe.send(header=msg.header)
        probe.wait_for(lambda: len(probe.of("/clock")) > 20)
        assert len(probe.images()) == 9
        statuses, clocks = len(probe.of("vehicle_status")), len(probe.of("/clock"))
        probe.wait_for(lambda: len(probe.of("/clock")) > clocks + 20)
        assert len(probe.of("vehicle_status")) == statuses
        process.process.send_signal(signal.SIGINT)
        assert process.wait(10.0) == 0


class Witness:
    """Hears the pictures, the commands and what acted, as they come."""

    def __init__(self, context):
        self.node = rclpy.create_node("witness", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.pictures: list[int] = []
        self.commands: list[tuple[int, int, tuple]] = []  # pictures before it, the stamp that it answers, what it says
        self.acted: list[tuple[int, tuple]] = []
        self._listen(Image, "rgb_front/image", lambda msg: self.pictures.append(stamp_ns(msg)))
        self._listen(CarlaEgoVehicleControl, "vehicle_control_cmd", self._on_command)
        self._listen(
            CarlaEgoVehicleStatus, "vehicle_status", lambda msg: self.acted.append((stamp_ns(msg), wish(msg.control)))
        )

    def _listen(self, kind, topic, callback):
        self.node.create_subscription(kind, EGO + topic, callback, 100)

    def _on_command(self, msg):
        self.commands.append((len(self.pictures), stamp_ns(msg), wish(msg)))

    def watch(self, process, seconds: float):
        deadline = time.monotonic() + seconds
        while process.process.poll() is None and time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.1)


def wish(control) -> tuple[float, float, float]:
    return control.steer, control.throttle, control.brake


def test_the_planner_and_its_watchdog_answer_every_picture_once_for_a_whole_episode_with_a_stall(tmp_path):
    bundle, domain_id = make_tiny_bundle(tmp_path / "tiny"), graph.fresh_domain_id()
    arguments = [f"bundle:={bundle}", "episodes:=1", "seed:=7", "real_time_factor:=0", "strict:=true"]
    arguments.append("faults:=stall:2.0@60")
    command = [shutil.which("ros2"), "launch", "wm_planner", "carla_sim.launch.py", *arguments]
    with graph.rclpy_context(domain_id) as context, graph.GraphProcess(command, domain_id=domain_id) as process:
        witness = Witness(context)
        witness.watch(process, 120.0)
        assert process.wait(10) == 0, process.output()
        witness.executor.shutdown()
        witness.node.destroy_node()
    count = len(witness.pictures)
    assert count > 50
    # Before the first picture there was no topic of the car, and with the last one the episode ended; a command may
    # reach the witness after the picture that it led to.
    answers = [
        (stamp, wanted)
        for pictures, stamp, wanted in witness.commands
        if 0 < pictures < count or stamp in witness.pictures[:-1]
    ]
    first = witness.pictures.index(answers[0][0])
    assert first <= 1, "the planner may find the camera's topic later than the witness"
    assert [stamp for stamp, _ in answers] == witness.pictures[first:-1]
    stamps, acted = [stamp for stamp, _ in witness.acted], dict(witness.acted)
    for stamp, wanted in answers:
        assert acted[stamps[stamps.index(stamp) + 1]] == wanted, "in step"

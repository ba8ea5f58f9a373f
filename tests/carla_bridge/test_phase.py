"""Lock-step with the real bridge keeps its phase, and finds it again: a command acts in the tick after its picture."""

import contextlib
import os
import signal
import threading
import time
from collections import Counter

import carla_rig
import graph
import numpy as np
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from carla_rig import BRAKE, START_S
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile
from wm_bundle.times import ns_of

TICKS = 40  # in a row, for a phase that is kept
DEEP = QoSProfile(depth=1000)


class Listener:
    """What was sent for which picture, and what was applied."""

    def __init__(self, context):
        self.sent: list[tuple[int, np.ndarray]] = []
        self._applied: dict[int, np.ndarray] = {}
        self._node = rclpy.create_node("listener", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        car = f"/carla/{carla_rig.EGO}"
        subscribe = self._node.create_subscription
        subscribe(CarlaEgoVehicleControl, f"{car}/vehicle_control_cmd", self._on_command, DEEP)
        subscribe(CarlaEgoVehicleStatus, f"{car}/vehicle_status", self._on_status, DEEP)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(5.0)
        self._executor.shutdown()
        self._node.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):  # a test has failed
            while not self._over.is_set():
                self._executor.spin_once(timeout_sec=0.1)

    def _on_command(self, message: CarlaEgoVehicleControl) -> None:
        self.sent.append((ns_of(message.header.stamp), _numbers(message)))

    def _on_status(self, message: CarlaEgoVehicleStatus) -> None:
        self._applied[ns_of(message.header.stamp)] = _numbers(message.control)

    def delays(self, count: int) -> Counter:
        """How many of the last commands acted how many ticks late; None: one was skipped, or was the watchdog's."""
        stamps = sorted(self._applied)
        index = {stamp: place for place, stamp in enumerate(stamps)}
        found = Counter()
        for stamp, command in self.sent[-count - 1 : -1]:
            after = stamps[index.get(stamp, len(stamps)) + 1 :][:8]
            late = (n for n, at in enumerate(after) if np.allclose(self._applied[at], command, atol=1e-6))
            found[next(late, None)] += 1
        return found


def _numbers(control) -> np.ndarray:
    return np.array([control.steer, control.throttle, control.brake])


@pytest.fixture(scope="module")
def drive(bundle, tmp_path_factory):
    domain = graph.fresh_domain_id()
    words = ["simulator:=carla", f"bundle:={bundle}"]
    with graph.rclpy_context(domain) as context:
        listener = Listener(context)
        folder = tmp_path_factory.mktemp("phase")
        with carla_rig.launch("carla_sim.launch.py", *words, domain_id=domain, folder=folder) as run:
            run.wait_for_output("]: driving", START_S)
            yield run, listener
            assert run.interrupt() == 0, run.output()[-3000:]
        listener.close()


def in_phase(run, listener) -> str:
    """Empty if so, else what was seen in the last ticks."""
    rows, delays = run.rows()[-TICKS - 1 : -1], listener.delays(TICKS)
    counts = carla_rig.counts(rows)
    return "" if counts == {1: TICKS} and delays == {0: TICKS} else f"commands in a tick {counts}, late {delays}"


def until_in_phase(run, listener, timeout_s: float = 40.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while seen := in_phase(run, listener):
        assert time.monotonic() < deadline_s, f"{seen}\n{run.output()[-3000:]}"
        time.sleep(0.5)


@pytest.fixture
def since_s(drive):
    """A drive in phase before and after; the time in between [s]."""
    until_in_phase(*drive)
    yield time.time()
    time.sleep(1.0)
    until_in_phase(*drive)


def test_the_start_is_in_phase_from_the_first_command_on(drive):
    run, listener = drive
    run.wait_for_rows(60, since_s=time.time())
    rows = run.rows()
    first = next(number for number, row in enumerate(rows) if row.commands)
    odd = [len(row.commands) for row in rows[first : first + 60] if len(row.commands) != 1]
    assert len(odd) <= 2, (odd, run.output()[-5000:])  # the bridge may lose it by itself


def test_a_stall_of_the_server_is_no_fault(drive, since_s):
    run, listener = drive
    run.order("stall", seconds=2.0)
    rows = run.wait_for_rows(60, since_s)
    assert sum(len(row.commands) for row in rows[:60]) in range(58, 62) and BRAKE not in [row.acting for row in rows]


@pytest.mark.parametrize("program, seconds", [("planner", 3.0), ("bridge", 3.0)])
def test_after_a_process_stood_the_phase_comes_back(drive, since_s, program, seconds):
    run, listener = drive
    os.kill(run.children()[program], signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(run.children()[program], signal.SIGCONT)


def test_pictures_that_never_come_are_braked_for_in_simulated_time_and_told(drive, since_s):
    run, listener = drive
    run.order("blind", on=True)
    deadline_s = time.monotonic() + 30.0
    while BRAKE not in [row.acting for row in run.rows_since(since_s)]:
        assert time.monotonic() < deadline_s, run.output()[-3000:]
        time.sleep(0.5)
    run.order("blind", on=False)
    rows = run.rows_since(since_s)
    blind = [row for row in rows if row.wall_s - since_s > 0.5]
    assert [row.acting for row in blind].index(BRAKE) <= 6, "4 ticks are 0.32 s, and the limit is 0.28 s"
    assert "no image for" in run.output()

"""What wm_sim really does with commands, and that CommandsInFlight says it beforehand."""

import time

import numpy as np
import pytest
from bridge_probe import bridge_and_probe, stamp_ns
from wm_planner.pilot.in_flight import CommandsInFlight

PERIOD_S = 0.08
FACTOR = 0.25  # a tick lasts 320 ms: even a busy machine answers within it
TICK_S = PERIOD_S / FACTOR
FRAMES = 22
SETTLED = 13  # frames after which the delay must be known


class Driver:
    """Answers every image with another command, ``late_s`` after it came, and writes down what was foretold."""

    def __init__(self, probe, late_s: float):
        self.in_flight = CommandsInFlight(PERIOD_S, most=6)
        self.foretold: dict[int, list[np.ndarray]] = {}  # by stamp of the image
        self.sent: dict[int, np.ndarray] = {}  # by stamp of the image
        self._probe, self._late_s = probe, late_s
        self._due: list[tuple[float, object, np.ndarray]] = []
        self._statuses = 0
        probe.answer = self._take

    def _take(self, image) -> None:
        for status in self._probe.of("vehicle_status")[self._statuses :]:
            self._statuses += 1
            self.in_flight.applied(stamp_ns(status), command_of(status.control))
        self.foretold[stamp_ns(image)] = self.in_flight.before(stamp_ns(image))
        command = np.array([0.002 * len(self.foretold), 0.05, 0.0], np.float32)
        self.in_flight.sent(stamp_ns(image), command)
        self.sent[stamp_ns(image)] = command
        self._due.append((time.monotonic() + self._late_s, image.header, command))
        self.send_due()

    def send_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, header, command = self._due.pop(0)
            self._probe.send(header=header, steer=float(command[0]), throttle=float(command[1]))


def command_of(control) -> np.ndarray:
    return np.array([control.steer, control.throttle, control.brake], np.float32)


@pytest.mark.parametrize(("waiting", "late_ticks", "delay"), [(True, 0.0, 0), (False, 0.0, 0), (False, 1.5, 1)])
def test_the_commands_foretold_are_those_applied(waiting, late_ticks, delay):
    parameters = dict(
        real_time_factor=0 if waiting else FACTOR,
        wait_for_driver=20.0,
        synchronous_mode_wait_for_vehicle_control_command=waiting,
    )
    with bridge_and_probe(**parameters) as (_, probe):
        driver = Driver(probe, late_ticks * TICK_S)
        deadline = time.monotonic() + 30.0
        while len(driver.foretold) < FRAMES:
            assert time.monotonic() < deadline
            probe.executor.spin_once(timeout_sec=0.005)
            driver.send_due()
        applied = {stamp_ns(status): command_of(status.control) for status in probe.of("vehicle_status")}
    stamps = sorted(applied)
    assert driver.in_flight.delay == delay
    checked = hits = 0
    for stamp in sorted(driver.foretold)[SETTLED : FRAMES - delay - 1]:
        assert len(driver.foretold[stamp]) == delay
        # After the commands foretold acts the answer to this image.
        for step, command in enumerate([*driver.foretold[stamp], driver.sent[stamp]]):
            checked += 1
            hits += np.allclose(applied[stamps[stamps.index(stamp) + step + 1]], command, atol=1e-5)
    print(
        f"waiting {waiting}, answers after {late_ticks} ticks: delay {driver.in_flight.delay}, "
        f"{hits} of {checked} commands foretold"
    )
    assert checked >= 7 and hits >= 0.7 * checked  # a stall of this machine may delay single commands

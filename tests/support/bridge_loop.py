"""The loop of CARLA's bridge in lock-step and a planner that answers it, in simulated wall time.

The loop: a list of vehicles whose command is expected is filled, the world ticks, pictures go out, and if the list is
not empty an event is waited for, 1 s at most, and cleared. A command empties the list, if it was not empty already, and
sets the event. So a command that comes while the list is empty is not lost: it ends the next wait.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from wm_bundle.pictures.frames import Frame
from wm_planner.pilot.answers import Answers
from wm_planner.pilot.in_flight import CommandsInFlight
from wm_planner.pilot.phase import Phase

PERIOD_S, PERIOD_NS, WAIT_S = 0.08, 80_000_000, 1.0
SENT_S = 0.002  # that a message takes


@dataclass
class Times:
    """How long things take, and what goes wrong in which tick."""

    tick_s: float = 0.03
    plan_s: float = 0.02
    after_s: float = 0.002  # from the picture to the bridge's wait
    stalls: dict[int, float] = field(default_factory=dict)  # of the server [s]
    slow: dict[int, float] = field(default_factory=dict)  # plans [s]
    extra: dict[int, float] = field(default_factory=dict)  # a brake by somebody else, so long after the picture [s]
    lost: frozenset[int] = frozenset()  # pictures


class World:
    """Runs processes, which are generators of the times they sleep [s], in order of time."""

    def __init__(self):
        self.now_s = 0.0
        self._queue: list = []
        self._count = 0

    def clock(self) -> float:
        return self.now_s

    def at(self, seconds: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now_s + seconds, self._count, call))

    def run(self, until: Callable[[], bool]) -> None:
        while not until():
            self.now_s, _, call = heapq.heappop(self._queue)
            call()


class Bridge:
    """Ticks, and remembers which command acted in each."""

    def __init__(self, world: World, times: Times):
        self._world, self._times = world, times
        self.tick = 0
        self.acted: list[tuple | None] = [None]  # by tick
        self.commands = [0]  # that came since the picture, by tick
        self._command: tuple | None = None
        self._expects = self._event = self._waiting = False
        self._steps = self._loop()
        self.publish: Callable[[int, tuple | None], None] = lambda tick, acted: None
        self._wake = 0
        self._go()

    def command(self, command: tuple) -> None:
        self._command = command
        self.commands[-1] += 1
        self._expects, self._event = False, True
        if self._waiting:
            self._go()

    def _go(self) -> None:
        """To the next sleep, or to the next wait for the event."""
        self._waiting = False
        self._wake += 1
        wake, seconds = self._wake, next(self._steps)
        self._world.at(abs(seconds), lambda: wake == self._wake and self._go())
        self._waiting = seconds < 0.0

    def _loop(self) -> Iterator[float]:
        while True:
            self._expects = self.tick > 0  # in the first tick the vehicle is not known yet
            self.tick += 1
            yield self._times.stalls.get(self.tick, 0.0)
            self.acted.append(self._command)
            yield self._times.tick_s  # pictures are drawn and copied
            self.commands.append(0)
            self.publish(self.tick, self.acted[-1])
            if self.tick in self._times.extra:
                self._world.at(self._times.extra[self.tick], lambda: self.command((0, 0.0, 0.0, 1.0)))
            yield self._times.after_s
            if self._expects:
                if not self._event:
                    yield -WAIT_S
                self._event = False


class Driver:
    """A planner's process: one thing at a time, and only the newest picture waits."""

    def __init__(self, world: World, times: Times, bridge: Bridge, lock_step: bool, steady: range = range(0)):
        """``steady``: the ticks that all get the same command."""
        self._world, self._times, self._bridge, self._steady = world, times, bridge, steady
        self.lines: list[str] = []
        self.held_s: list[float] = []
        self.in_flight = CommandsInFlight(PERIOD_S, 6)
        phase = Phase(PERIOD_S, 0.9 * WAIT_S, self.lines.append, world.clock) if lock_step else None
        self._answers = Answers(self, phase, self._send, self._hold)
        self._picture: tuple[Frame, tuple | None] | None = None
        self._busy = False
        self._holding = 0
        bridge.publish = self._publish

    def _publish(self, tick: int, acted: tuple | None) -> None:
        if tick not in self._times.lost:
            self._world.at(SENT_S, lambda: self._receive(Frame(tick * PERIOD_NS, (), self._world.now_s), acted))

    def _receive(self, frame: Frame, acted: tuple | None) -> None:
        self._picture = frame, acted
        self._work()

    def _work(self) -> None:
        if not self._busy and self._picture is not None:
            self._busy = True
            picture, self._picture = self._picture, None
            tick = picture[0].stamp_ns // PERIOD_NS
            self._world.at(self._times.slow.get(tick, self._times.plan_s), lambda: self._planned(*picture))

    def _planned(self, frame: Frame, acted: tuple | None) -> None:
        if acted is not None:
            self.in_flight.applied(frame.stamp_ns, np.array(acted[1:], np.float32))
        self._answers.decide(frame)
        self._busy = False
        self._work()

    # The pilot's part

    def decide(self, frame: Frame) -> SimpleNamespace:
        tick = frame.stamp_ns // PERIOD_NS
        command = (0.5, 0.5, 0.0) if tick in self._steady else (0.6180339 * tick % 1.0, 0.5, 0.0)
        self.in_flight.sent(frame.stamp_ns, np.array(command, np.float32))
        return SimpleNamespace(command=(tick, *command), fatal=False)

    def withhold(self) -> None:
        self.in_flight.withdraw()

    def _send(self, decision: SimpleNamespace, frame: Frame) -> None:
        self._world.at(SENT_S, lambda: self._bridge.command(decision.command))

    def _hold(self, seconds: float, then: Callable[[], None]) -> None:
        self.held_s.append(seconds)
        self._holding += 1
        number = self._holding
        self._world.at(seconds, lambda: number == self._holding and not self._busy and then())


def drive(times: Times, ticks: int, lock_step: bool = True, steady: range = range(0)) -> tuple[Bridge, Driver]:
    world = World()
    bridge = Bridge(world, times)
    driver = Driver(world, times, bridge, lock_step, steady)
    world.run(lambda: bridge.tick > ticks)
    return bridge, driver


def lags(bridge: Bridge, ticks: range) -> list[int | None]:
    """By tick, how many ticks too late the command acts; None: somebody else's."""
    acted = {tick: bridge.acted[tick] for tick in ticks}
    return [tick - 1 - entry[0] if entry and entry[0] else None for tick, entry in acted.items()]


def in_phase(bridge: Bridge, last: int) -> bool:
    """Whether each of the last ticks got the answer to its own picture, and nothing else."""
    ticks = range(bridge.tick - last, bridge.tick)
    return set(lags(bridge, ticks)) == {0} and {bridge.commands[tick] for tick in ticks[:-1]} == {1}

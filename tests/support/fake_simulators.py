"""Simulators without ROS, for the recorder's loop."""

from types import SimpleNamespace

import numpy as np
from wm_bundle import CameraSpec
from wm_bundle.vector_inputs import SPEED
from wm_data.episodes import read_episode
from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.collector import Collector
from wm_training.collecting.recording import Tick

PERIOD = 80_000_000
PLAN = np.array([0.1, 0.4, 0.0], np.float32)
LABEL = np.array([-0.2, 0.0, 0.3], np.float32)


def tick(i: int, **changes) -> Tick:
    values = dict(
        stamp_ns=i * PERIOD,
        image=np.full((3, 4, 4), i % 256, np.uint8),
        vector={"speed": changes.pop("speed", 5.0)},
        control=np.zeros(3, np.float32),
        reward=1.0,
        expert=LABEL,
        planned=PLAN,
    )
    return Tick(**{**values, **changes})


class FakePlanner:
    """A planner that is there at once and answers every tick. ``sees_old_image_at``: restarts before which it is late,
    so that an image of the old episode is the first that it answers."""

    topic = "/planner/control"

    def __init__(self, sees_old_image_at=()):
        self.first_answer_ns, self.restarts, self.reason = 0, 0, ""
        self.sees_old_image_at = sees_old_image_at

    def describe(self, wait_for, timeout_s):
        return {"bundle": "known", "parameters": {"trust": 2.0}}

    def restart(self, wait_for):
        self.restarts += 1
        self.first_answer_ns = 7 if self.restarts in self.sees_old_image_at else None


class FakeTime:
    """The time of a simulator, its lock-step as CARLA's bridge has it: a step ends in a pause."""

    period_ns = PERIOD

    def __init__(self, synchronous=True, waits=True):
        self.synchronous, self.waits = synchronous, waits
        self.paused, self.steps, self.asked, self.plays_lost = False, 0, [], 0

    def waits_for_commands(self, wait_for):
        return self.waits

    def pause(self):
        self.paused = self.synchronous
        self.asked.append("pause")

    def step(self):
        assert self.paused, "a step is asked of a simulator that stands still"
        self.steps += 1
        self.asked.append("step")

    def play(self):
        self.paused, self.plays_lost = self.plays_lost > 0, self.plays_lost - 1
        self.asked.append("play")

    @property
    def runs(self):
        return not self.paused

    def stands_still(self, for_s=0.0):
        return self.paused and not self.steps

    def may_tick(self):
        """Whether there is a tick now; a step is used up."""
        stepped, self.steps = self.steps > 0, max(self.steps - 1, 0)
        return stepped or not self.paused


class FakeNode:
    """A simulator that can be reset: applies what it is sent, and ticks whenever the collector spins."""

    has_step_results, has_expert, can_reset = True, True, True
    failure, dropped, autopilot_heard = None, 0, True
    routes, lacks_for_route = None, ""
    signals = SimpleNamespace(told=[SPEED.told], unheard="", lacking="")

    def __init__(self, planner=None, rivals=(), cameras=("rgb_front",), **of_each_tick):
        specs = tuple(CameraSpec(name, 96, 96) for name in cameras)
        self.cameras = SimpleNamespace(specs=specs, topics=[], unpublished=lambda: [], silent=lambda: [])
        self.planner, self.rivals, self.of_each_tick = planner, list(rivals), of_each_tick
        self.on_tick = lambda tick: None
        self.time = FakeTime()
        self.number, self.applied, self.seeds = 0, np.zeros(3, np.float32), []
        self.since_reset, self.sent, self.autopilot = 0, [], []
        self.lost: set[int] = set()  # ticks after a reset that never arrive, in the first episode
        self.late: set[int] = set()  # ticks after a reset without the last camera's picture, in the first episode

    def spin(self, seconds):
        if (self.can_reset and not self.seeds) or not self.time.may_tick():
            return
        self.number += 1
        self.since_reset += 1
        if len(self.seeds) <= 1 and self.since_reset in self.lost:
            return
        if self.planner and self.planner.first_answer_ns is None:
            self.planner.first_answer_ns = self.number * PERIOD
        count = len(self.cameras.specs)
        seen = np.ones(count, bool)
        seen[-1] = len(self.seeds) > 1 or self.since_reset not in self.late
        image = np.repeat(np.where(seen, self.number % 256, 0), 3)[:, None, None] * np.ones((1, 4, 4))
        values = {"image": image.astype(np.uint8), "seen": seen, "control": self.control(), **self.of_each_tick}
        self.deliver(tick(self.number, **values, **self.events()))

    def control(self):
        return self.applied

    def events(self):
        return {}

    def deliver(self, complete):
        self.on_tick(complete)

    def other_drivers(self):
        return self.rivals

    def start(self, with_steps, with_expert):
        pass

    def send(self, decision):
        if decision.autopilot is not None:
            self.autopilot.append(decision.autopilot)
        if decision.command is not None:
            self.applied = np.array(decision.command)
            self.sent.append(self.applied)

    def request_reset(self, seed):
        assert self.time.paused, "a reset while the simulator runs leaves a tick of the old episode on its way"
        self.seeds.append(seed)
        self.since_reset = 0
        return SimpleNamespace(done=lambda: True, result=lambda: SimpleNamespace(success=True, message=""))


class FakeBridge(FakeNode):
    """CARLA's bridge: neither rewards, nor the expert's commands, nor a reset. Its autopilot commands after each tick
    while it is on, and the last command before the next tick acts."""

    has_step_results, has_expert, can_reset = False, False, False

    def __init__(self, synchronous=True, waits=False, **of_each_tick):
        super().__init__(**{"reward": None, "expert": None, **of_each_tick})
        self.collisions: set[int] = set()
        self.deaf: set[int] = set()  # ticks that come before the command that was sent for them
        self.time = FakeTime(synchronous, waits)
        self.acted, self.by = [], []  # of each tick
        self.queue: list[Tick] = []  # on their way

    def spin(self, seconds):
        super().spin(seconds)
        if self.queue:
            self.on_tick(self.queue.pop(0))

    def deliver(self, complete):
        self.queue.append(complete)

    def events(self):
        return {"collision": self.since_reset in self.collisions}

    def control(self):
        on = bool(self.autopilot) and self.autopilot[-1]
        if on:
            self.applied = np.array([self.number / 1000, 0.5, 0.0], np.float32)
        deaf = self.since_reset in self.deaf
        self.acted.append(self.acted[-1] if deaf else self.applied)
        self.by.append(on)
        return self.acted[-1]


def collector(folder, node, **options) -> Collector:
    values = dict(episodes=1, episode_length=30, output_dir=str(folder), driver="planner", seed=40, timeout=5.0)
    return Collector(CollectOptions(**{**values, **options}), node, node.spin)


def recorded(folder, node, **options):
    collecting = collector(folder, node, **options)
    recorder, driver = collecting.connect()
    for index in collecting.missing():
        collecting.record(index, recorder, driver)
    return [read_episode(collecting.path(index)) for index in range(collecting.options.episodes)]

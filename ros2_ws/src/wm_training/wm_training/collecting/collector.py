"""Records episode after episode: starts each one, lets a driver answer its ticks, writes its file."""

import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wm_bundle import lock_step
from wm_bundle.times import NS_PER_S
from wm_data.episodes import Episode, write_episode
from wm_evaluation.command_line import say
from wm_evaluation.wording import counted

from wm_training.collecting.drivers import BRAKE, Decision, Driver, chosen_driver, same_control
from wm_training.collecting.recording import EpisodeRecorder, Standstill, Tick, rows_moving
from wm_training.collecting.routes import told_of
from wm_training.collecting.signals import checked_meta
from wm_training.errors import CollectError

if TYPE_CHECKING:
    from wm_training.collecting.collect_options import CollectOptions
    from wm_training.collecting.node import CollectNode

_LOST_S = 1.0  # a paused simulator's tick that is incomplete so long, beyond other limits, stays incomplete
_PLAYS, _PLAY_S = 5, 0.3  # tries to let it run again, and how long one takes
_AHEAD = 3  # commands that act late one after the other, if the simulator is a tick ahead of the recorder
_HEARD_S = 0.01  # for a command to be applied before the tick that is asked for after it
ATTEMPTS = 3  # for an episode that is cut by a lost tick, or ends too early
BUMPS = 30  # the same for CARLA's autopilot, and random commands: of a car that touches something again and again
_FIRST_WORD_S, _NEXT_WORD_S = 10.0, 30.0  # first report of a long wait, and the period after that
_ORDER_S = 0.05  # for an order on /carla/control to arrive before the answer sent after it
_SETTLE_S = 0.5  # to discover a node's other topics, once the first was found


class Collector:
    """Drives and records until the folder holds as many episodes as wanted."""

    def __init__(self, options: "CollectOptions", node: "CollectNode", spin: Callable[[float], None]):
        """``spin(seconds)`` lets ``node`` work for at most that long."""
        self.options = options
        self.node = node
        self.spin = spin
        self.folder = Path(options.output_dir).expanduser()
        self.fresh_tick: Tick | None = None
        self.paced = False
        """Whether the simulator ticks only when the recorder asks for the next row."""
        self.late = 0
        """Commands that did not act from their tick on."""
        self._late_in_a_row = 0
        self._driver: Driver | None = None
        node.on_tick = partial(setattr, self, "fresh_tick")

    def missing(self) -> list[int]:
        """Numbers of the episodes that are not in the folder yet."""
        return [i for i in range(self.options.episodes) if not self.path(i).is_file()]

    def plan(self) -> str:
        """What exists and what will be recorded, as text: the total in a folder is easily mistaken for the number of
        new episodes."""
        wanted, missing = self.options.episodes, self.missing()
        there = len(list(self.folder.glob("episode_" + 6 * "[0-9]" + ".npz")))
        if not missing:
            more = f"--episodes {there + wanted} (episodes:={there + wanted}) records {wanted} more"
            return (
                f"nothing to record: {self.folder} holds {counted(there, 'episode')} already, and {wanted} is the "
                f"total wanted; {more}"
            )
        first, last = (self.path(index).stem for index in (missing[0], missing[-1]))
        which = first if len(missing) == 1 else f"{first} to {last}"
        return (
            f"{self.folder} holds {counted(there, 'episode')}, and {wanted} is the total wanted: records "
            f"{counted(len(missing), 'new episode')}, {which}"
        )

    def path(self, index: int) -> Path:
        """File of an episode."""
        return self.folder / f"episode_{index:06d}.npz"

    def wait_for(
        self, condition: Callable[[], bool], what: str | Callable[[], str], timeout_s: float | None = None
    ) -> None:
        """Spin until ``condition()`` holds; CollectError, naming ``what`` is missing, after ``timeout_s`` or the
        default time-out. A long wait is logged at intervals."""
        limit_s = self.options.timeout if timeout_s is None else timeout_s
        begun_s, next_word_s = time.monotonic(), _FIRST_WORD_S
        while not condition():
            if self.node.failure:
                raise CollectError(str(self.node.failure))
            waited_s = time.monotonic() - begun_s
            late = waited_s > limit_s
            if late or waited_s > next_word_s:
                next_word_s = waited_s + _NEXT_WORD_S
                missing = what if isinstance(what, str) else what()
                reason = self.node.planner.reason if self.node.planner else ""
                said = f"{missing}; the planner says: {reason}" if reason else missing
                if late:
                    raise CollectError(f"waited {limit_s:g} s for {said}")
                say("collect", f"waited {waited_s:.0f} s of at most {limit_s:g} s for {said}")
            self.spin(0.1)

    def connect(self) -> tuple[EpisodeRecorder, Driver]:
        """Discover the published topics, and create a matching recorder and driver."""
        node, options = self.node, self.options
        self.wait_for(
            lambda: not node.cameras.unpublished(),
            lambda: (
                f"a publisher of {', '.join(node.cameras.unpublished())}; is the simulator or the bridge up, "
                f"does it have these cameras, and is its role_name {options.role_name}?"
            ),
        )
        # A node announces all its topics at once, but discovery delivers them one by one.
        self._spin_for(_SETTLE_S)
        node.time.play()  # who paced it last may have been killed
        self.wait_for(
            lambda: node.cameras.specs is not None and node.time.period_ns is not None,
            lambda: f"an image on {', '.join(node.cameras.silent() or node.cameras.topics)}, a status on /carla/status",
        )
        self.wait_for(lambda: not node.signals.unheard, lambda: f"a number on {node.signals.unheard}, of --signals")
        self._check_tolerance()
        planner = node.planner.describe(self.wait_for, options.start_timeout) if node.planner else None
        if planner and (rivals := node.other_drivers()):
            raise CollectError(
                f"{', '.join(rivals)} commands the car too, and only the recorder may: end it; a planner needs "
                f"control_topic:={node.planner.topic}"
            )
        with_steps, with_expert = node.has_step_results, node.has_expert
        self._driver = driver = chosen_driver(options, 1e-9 * node.time.period_ns, with_expert)
        self._take_the_time(driver)
        self.wait_for(lambda: not node.lacks_for_route, lambda: node.lacks_for_route)
        meta = checked_meta(self.folder, self._meta(planner))
        recorder = EpisodeRecorder(options.episode_length, node.time.period_ns, meta, node.routes)
        node.start(with_steps, with_expert)
        if driver.wants_autopilot:
            self.wait_for(lambda: node.autopilot_heard, "the simulator to listen to enable_autopilot")
        node.send(Decision(None, autopilot=driver.wants_autopilot))
        return recorder, driver

    def _take_the_time(self, driver: Driver) -> None:
        """Pause a simulator that can tick by request: then no row is lost, however slow the recorder is.

        One that can be reset and waits for commands is paused between episodes only: it knows a tick's answer by its
        stamp, and waits long enough."""
        time = self.node.time
        waits = time.synchronous and time.waits_for_commands(self.wait_for)
        if waits and driver.wants_autopilot:
            raise CollectError(
                "the simulator waits for a command in every tick, and the autopilot's are none: each tick would take "
                "its full second. Start it with synchronous_mode_wait_for_vehicle_control_command:=False"
            )
        if time.synchronous and not (waits and self.node.can_reset):
            self.paced = True
            time.pause()
            self.wait_for(time.stands_still, "the simulator to pause, as /carla/control asks it to")
            self._spin_for(_SETTLE_S)  # the ticks before are still on their way

    def _check_tolerance(self) -> None:
        """Raise CollectError where pictures of one moment could be mixed with those of the next."""
        half_period_s = 0.5e-9 * self.node.time.period_ns
        if len(self.node.cameras.specs) > 1 and self.options.camera_tolerance >= half_period_s:
            raise CollectError(
                f"--camera-tolerance: expected less than half the time between two ticks, {half_period_s:g} s, "
                f"found {self.options.camera_tolerance:g}"
            )

    def _meta(self, planner: dict | None) -> dict:
        options = self.options
        meta = {
            "cameras": [asdict(camera) for camera in self.node.cameras.specs],
            "rate_hz": round(NS_PER_S / self.node.time.period_ns, 6),
            **told_of(self.node.routes, self.node.signals.told),
            "action_convention": "steer right positive, throttle, brake; row t acts from t to t+1",
            **options.told_of_driver(),
        }
        if planner:
            meta["planner"] = planner
        return meta

    def record(self, index: int, recorder: EpisodeRecorder, driver: Driver) -> Episode:
        """Record one episode into its file, and return it.

        If the simulator can be reset, an episode that lost ticks or pictures is driven again, so that the same seed
        gives the same episode; the last attempt is kept. One that cannot goes on where it is: after a collision it may
        take a while until the car drives again."""
        seed, resettable = self.options.seed + index, self.node.can_reset
        attempts = ATTEMPTS if resettable or self.node.planner else BUMPS
        for attempt in range(1, attempts + 1):
            recorder.discard()
            driver.begin(seed)
            if resettable:
                self._begin_on_track(seed)
                recorder.meta["seed"] = seed
            episode = self._drive(recorder, driver)
            # A camera with missing pictures was late on this machine, and the next attempt may have them.
            complete = recorder.gaps == 0 and episode.camera_mask is None
            if self.node.planner:  # the first image that it saw since its restart
                complete &= self.node.planner.first_answer_ns == episode.stamps_ns[0]
            if not complete and resettable and attempt < ATTEMPTS:
                continue
            if self._is_worth_keeping(episode, resettable):
                write_episode(self.path(index), episode)
                return episode
        raise CollectError(
            f"{attempts} times in a row an episode ended after fewer than {self.options.min_rows} rows (seed {seed})"
            + ("" if resettable else ", or the planner's car stood all the time; it cannot be reset here")
        )

    def _is_worth_keeping(self, episode: Episode, resettable: bool) -> bool:
        """Whether it is long enough, and not the standing car of a planner that no reset will bring to drive."""
        stuck = self.node.planner and self.options.standstill and not resettable and not rows_moving(episode)
        return len(episode) >= self.options.min_rows and not stuck

    def _stop_the_clock(self) -> None:
        """Pause the simulator between two ticks, if it does not stand still already.

        Orders are obeyed between two ticks only: so the order first, and then an answer, which ends the tick's wait."""
        if self.paced or self.node.time.stands_still():
            return
        self.node.time.pause()
        self._spin_for(_ORDER_S)
        self.node.send(Decision(BRAKE))
        self.wait_for(self.node.time.stands_still, "the simulator to pause, as /carla/control asks it to")

    def _begin_on_track(self, seed: int) -> None:
        """Begin an episode on the track of ``seed``, with everything as if just started.

        The simulator is paused meanwhile: so no tick of the old episode is taken for one of the new, and a planner
        first sees the new one's first image."""
        self._stop_the_clock()
        reset = self.node.request_reset(seed)
        self.wait_for(reset.done, "the reset service")
        if not reset.result().success:
            raise CollectError(f"the simulator refused seed {seed}: {reset.result().message}")
        if self.node.planner:
            self.node.planner.restart(self.wait_for)
        if not self.paced:
            self.node.time.play()

    def release(self, spin: Callable[[float], None]) -> None:
        """Let a paused simulator continue, its car with the autopilot or braking; no signal ends ``spin``."""
        if self._driver is None:
            return
        self.spin = spin
        self.node.send(Decision(None, autopilot=True) if self._driver.wants_autopilot else Decision(BRAKE))
        for _ in range(_PLAYS if self.paced or self.node.can_reset else 0):
            self.node.time.play()  # again, because one that comes at the very begin of a step is overwritten by it
            self._spin_for(_PLAY_S)
            if self.node.time.runs:
                break

    def _spin_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0.0:
            self.spin(min(left, 0.05))

    def _next_tick(self, what: str, commanded: bool) -> Tick:
        """Ask for a tick, if it is ours to ask, and wait for all its data; ``what`` names them. ``commanded``: a
        command for it was just sent; it travels apart from the request."""
        self.fresh_tick = None
        if self.paced and self._late_in_a_row < _AHEAD:
            self._spin_for(_HEARD_S if commanded else 0.0)
            if self.fresh_tick is None:
                self.node.time.step()
        elif self.paced:  # the simulator is a tick ahead, and that one is on its way
            self._late_in_a_row = 0
        self.wait_for(self._has_come, lambda: what + self.node.signals.lacking)
        return self.fresh_tick

    def _has_come(self) -> bool:
        lost_s = _LOST_S + (lock_step.EMBEDDED_WAIT_S if self.node.planner else self.options.camera_deadline)
        if self.fresh_tick is None and self.paced and self.node.time.stands_still(lost_s):
            self.node.time.step()
        return self.fresh_tick is not None

    def _drive(self, recorder: EpisodeRecorder, driver: Driver) -> Episode:
        """Answer ticks until one ends the episode. A simulator that can be reset is then paused."""
        standstill = Standstill(self.options.standstill if self.node.planner else 0.0)
        what = "image, vehicle_status and what else the simulator publishes to come with equal stamps"
        if self.node.planner:
            what += f", and the planner's answer on {self.node.planner.topic}"
        sent = None
        while True:
            tick = self._next_tick(what, sent is not None)
            if sent is not None:
                late = not same_control(tick.control, sent)
                self.late += late
                self._late_in_a_row = self._late_in_a_row + 1 if late else 0
            decision = driver.drive(tick)
            sent = decision.command
            episode = recorder.add(tick, decision.expert_drives)
            if episode is None and standstill.lasts(tick):
                episode = recorder.cut()
            if episode is not None and self.node.can_reset:
                self._stop_the_clock()
            else:
                self.node.send(decision)
            if episode is not None:
                return episode

"""From one moment's camera pictures to one command, whatever happens; without ROS.

docs/safety.md lists every fault, its detection and how driving resumes. Shapes: K cameras, H horizon.
"""

import time
from collections.abc import Callable

import numpy as np
from wm_bundle import BundleManifest, ImageError
from wm_bundle.pictures.frames import Frame
from wm_bundle.turn_check import TurnCheck
from wm_bundle.vector_inputs import SPEED, YAW_RATE
from wm_bundle.vehicle_commands.writing import CommandWriter

from wm_planner.config import PlannerConfig
from wm_planner.errors import PlannerError
from wm_planner.pilot.bundle_guard import BundleGuard
from wm_planner.pilot.cameras import Cameras
from wm_planner.pilot.continuity import NS_PER_S, CommandedMotion, EpisodeTracker, RateCheck, Sample, lost_between
from wm_planner.pilot.decision import BRAKE, Decision
from wm_planner.pilot.guide import Guide
from wm_planner.pilot.in_flight import CommandsInFlight
from wm_planner.pilot.modes import Judgement, LatenessMonitor, Mode, SurpriseMonitor
from wm_planner.pilot.preflight import inputs_of
from wm_planner.pilot.signals import Signals
from wm_planner.planning.planner import Planner

SEARCH_SHARE = 0.8  # of the deadline; the rest is for publishing, and because times vary on a shared machine
# A picture with a surprise above this many times the threshold is rejected. A rare but true view is slightly above the
# threshold and must be used, else all later ones surprise too. Wrong pictures were at 7 times or more.
_DISBELIEF = 3.0
_UNFIT_FRAMES = 8  # consecutive wrong images, and never a right one: the camera is set up for another model


class _Unfit(PlannerError):
    """Images that do not fit the bundle."""


class Pilot:
    """Decides every frame. ``decide`` never raises: every fault becomes a braking decision."""

    def __init__(
        self,
        planner: Planner,
        manifest: BundleManifest,
        config: PlannerConfig,
        guard: BundleGuard,
        *,
        clock: Callable[[], float] = time.monotonic,
        log: Callable[[str], None],
    ):
        """``guard`` watches the bundle's files; ``log`` gets a line at each new episode and when a fault ends.

        Raises ConfigError for a bundle with inputs that this node cannot provide.
        """
        self._planner = planner
        self._manifest = manifest
        self._config = config
        self._guard = guard
        self.signals = Signals(manifest, inputs_of(config, manifest), config, log)
        self._period_s = manifest.control_period_s
        self._clock = clock
        self._log = log
        self.writer = CommandWriter(config, self._period_s)
        self.guide = Guide(config, manifest, log)
        self.reset()

    def reset(self) -> None:
        """Forget everything received: the node is being activated."""
        config, period_s = self._config, self._period_s
        self.guide.reset()
        self._begin_belief()
        self.signals.reset()
        self.turns = TurnCheck() if YAW_RATE in self.signals.entries else None
        self._tracker = EpisodeTracker(period_s)
        self._rate = RateCheck(period_s)
        self._cameras = Cameras(self._manifest.image, config.frozen_frames)
        self._motion = CommandedMotion(period_s, config.frozen_throttle_s)
        self.in_flight = CommandsInFlight(
            period_s, self._manifest.horizon, config.command_delay, pedals=config.command_output == "carla"
        )
        self._sent = self._sent_before = np.zeros(3, np.float32)
        frames = (config.surprise_frames, config.degraded_frames, config.recovery_frames)
        self._surprise = SurpriseMonitor(self._manifest.surprise_threshold, *frames, config.calm_share)
        self._lateness = LatenessMonitor(config.deadline_frames, config.recovery_frames)
        self._last_stamp_ns: int | None = None
        self._was_busy = False
        self._belief_lost = False
        self._unfit = 0
        self._last = Judgement(Mode.DRIVING)

    def retune(self, config: PlannerConfig) -> None:
        """Apply the parameters that may change while driving; here only ``deadline_ms``."""
        self._config = config

    def take(self, name: str, sample: Sample) -> None:
        """A vector input arrived; only speed is used if the bundle lacks it."""
        self.signals.take(name, sample)

    def take_step_result(self, stamp_ns: int, ended: bool) -> None:
        """A StepResult arrived; ``ended``: terminated or truncated."""
        if ended:
            self._tracker.episode_ended(stamp_ns)

    @property
    def between_episodes(self) -> bool:
        """Whether a StepResult ended an episode, and no image of another one arrived."""
        return self._tracker.over

    def should_wait(self, stamp_ns: int) -> bool:
        """Whether the vehicle_status of this image's tick is still expected, or the odometry of an episode's first."""
        expected = SPEED in self.signals.entries or not self.signals.speeds.empty
        late = self.between_episodes and self.guide.lacks_odometry(stamp_ns)
        return (expected and self.signals.speeds.at(stamp_ns) is None) or late

    def note_command(self, command: np.ndarray) -> None:
        """A command (3,) was sent that answers no image: the watchdog's brake."""
        self._note(command)
        self.in_flight.reset()

    def withhold(self) -> None:
        """The last decision was not sent: the command before it acts on."""
        self._note(self._sent_before)
        self.in_flight.withdraw()

    def _note(self, command: np.ndarray) -> None:
        self._sent_before, self._sent = self._sent, command
        self._planner.note_command(command)
        self._motion.sent(command[1], command[2])

    def decide(self, frame: Frame) -> Decision:
        """The command for one frame; called once per frame, in order of arrival."""
        try:
            decision = self._drive(frame)
            self._unfit = 0
        except (ImageError, _Unfit) as error:
            decision = Decision(BRAKE, str(error), fatal=self._never_fits(error))
        except PlannerError as error:
            decision = Decision(BRAKE, str(error))
        except Exception as error:  # the vehicle must brake on any fault, also an unforeseen one
            decision = Decision(BRAKE, f"internal error: {type(error).__name__}: {error}")
        if self._belief_lost:
            self._begin_belief()
        self._note(decision.command)
        self.in_flight.sent(frame.stamp_ns, decision.command)
        waits_s = self._config.answer_s if self._config.lock_step else 0.8 * self._period_s
        self._was_busy = self._clock() - frame.received_s > waits_s
        self._log_recovery(decision)
        return decision

    def _drive(self, frame: Frame) -> Decision:
        """Decide a frame. After an exception the belief lacks this frame, and the next frame starts a new one."""
        self._belief_lost = True
        beginning = self._check_stamp(frame.stamp_ns)
        wrong_rate = self._rate.fault(frame.stamp_ns, comparable=beginning is None and not self._was_busy)
        picture = self._cameras.picture(frame.images)
        if wrong_rate is not None:
            raise _Unfit(wrong_rate)
        file_fault = self._guard.fault()
        if file_fault is not None:
            raise PlannerError(file_fault)
        if beginning is not None:
            self._log(f"a new episode begins at stamp {frame.stamp_ns / NS_PER_S:.3f} s: {beginning}")
            self._begin_belief()
            self.guide.begin(frame.stamp_ns)
        for name, sample in self.guide.look(frame.stamp_ns, self.speed_at(frame.stamp_ns)).items():
            self.take(name, sample)
        vector = self._vector_at(frame.stamp_ns)
        frozen = self._cameras.frozen(self._moves(frame.stamp_ns))
        if frozen is not None:
            raise PlannerError(frozen)
        if not self._observe(picture, vector, frame.stamp_ns):
            self._begin_belief()
        decision, self._belief_lost = self._plan(frame), False
        return decision

    def _check_stamp(self, stamp_ns: int) -> str | None:
        """Why an episode begins with this stamp, None when one continues. Raises PlannerError for a stamp that
        jumps."""
        last_ns, self._last_stamp_ns = self._last_stamp_ns, stamp_ns
        beginning = self._tracker.begins(stamp_ns)
        if stamp_ns == last_ns:
            raise PlannerError(f"the image's stamp {stamp_ns / NS_PER_S:.3f} s did not advance: a frozen camera?")
        if beginning is None:
            return None
        self.in_flight.reset()
        if beginning.fault:
            where = f"{stamp_ns / NS_PER_S:.3f} s"
            raise PlannerError(f"{beginning.reason} to {where}: a new belief begins with the next image")
        return beginning.reason

    def _never_fits(self, error: Exception) -> bool:
        """Whether images are wrong permanently: the camera is set up for another model."""
        ever_right = self._rate.confirmed if isinstance(error, _Unfit) else self._cameras.ever_fitted
        self._unfit += 1
        return self._unfit >= _UNFIT_FRAMES and not ever_right

    def _begin_belief(self) -> None:
        self._planner.reset()
        self._belief_is_new = True
        self._observed_ns: int | None = None

    def _observe(self, picture: np.ndarray, vector: np.ndarray, stamp_ns: int) -> bool:
        """Update the belief and the surprise; returns whether the belief is still usable."""
        if self._observed_ns is not None:
            self._planner.predict(self._acted_unseen(self._observed_ns, stamp_ns))
        self._observed_ns = stamp_ns
        surprise = self._planner.observe(picture, vector, stamp_ns, self._cameras.mask)
        if self._belief_is_new:  # it had no expectation
            self._belief_is_new = False
            return True
        self._surprise.take(surprise)
        if surprise <= _DISBELIEF * self._surprise.threshold:
            return True
        if self._surprise.judgement.mode is Mode.BRAKING:
            return False
        # The model would soon adapt to a wrong picture, so a surprising one is rejected: the belief continues by
        # prediction, and the next picture has to match that.
        self._planner.discard_observation()
        return True

    def _acted_unseen(self, last_ns: int, stamp_ns: int) -> list[tuple[float, float, float] | None]:
        """The commands of the periods between two observations whose images were lost; None where unknown."""
        near_ns, lost = int(0.25 * self._period_s * NS_PER_S), lost_between(last_ns, stamp_ns, self._rate.periods)
        samples = [self.signals.speeds.latest_before(lost_ns + near_ns, 2 * near_ns) for lost_ns in lost]
        return [None if sample is None else sample.command for sample in samples]

    def _plan(self, frame: Frame) -> Decision:
        """Plan, also while braking for lateness: only that shows when plans are on time again."""
        judgement = self._surprise.judgement
        if judgement.mode is Mode.BRAKING:
            return Decision(BRAKE, judgement.reason)
        if (halt := self.guide.halt()) is not None:
            return halt
        if judgement.mode is Mode.DRIVING and self._cameras.missing:
            judgement = Judgement(Mode.DEGRADED, f"no picture of camera {self._cameras.missing}")
        deadline_s = self._config.deadline_ms / 1000.0
        plan = self._planner.plan(
            frame.received_s + SEARCH_SHARE * deadline_s,
            cautious=judgement.mode is Mode.DEGRADED,
            in_flight=self.in_flight.before(frame.stamp_ns),
        )
        age_s = self._clock() - frame.received_s
        self._lateness.take(age_s > deadline_s)
        if self._lateness.judgement.mode is Mode.BRAKING:
            return Decision(BRAKE, self._lateness.judgement.reason)
        if self._config.deadline_frames and age_s > self._tracker.gap_s:
            raise PlannerError(f"the plan was ready {age_s:.1f} s after its image: too late to act on it")
        command = self.writer.limited(plan.action, self.speed_at(frame.stamp_ns))
        return self.guide.guided(Decision(command, judgement.reason, plan, mode=judgement.mode))

    def _vector_at(self, stamp_ns: int) -> np.ndarray:
        """The bundle's vector inputs (V,) at an image's stamp; notes the command that was applied until then. Raises
        PlannerError where one of them is missing."""
        status = self.signals.speeds.at(stamp_ns)
        if status is not None and status.command is not None:
            applied = np.array(status.command, np.float32)
            self._planner.note_command(applied)
            self.in_flight.applied(stamp_ns, applied)
        numbers = self.signals.at(stamp_ns)
        if self.turns is not None and np.isfinite(numbers[YAW_RATE]):
            steer = float((self._sent if status is None or status.command is None else status.command)[0])
            self.turns.add(stamp_ns, steer, self.speed_at(stamp_ns), numbers[YAW_RATE])
        return np.array(list(numbers.values()), np.float32)

    def speed_at(self, stamp_ns: int) -> float | None:
        """The measured speed [m/s] at an image's stamp, None where it is not known."""
        speed = self.signals.newest(SPEED, stamp_ns)
        return None if speed is None else speed.value

    def _moves(self, stamp_ns: int) -> bool:
        speed_mps = self.speed_at(stamp_ns)
        return self._motion.moving if speed_mps is None else abs(speed_mps) > self._config.frozen_speed

    def _log_recovery(self, decision: Decision) -> None:
        """Log that a fault is over; its start is the decision's reason."""
        last, self._last = self._last, Judgement(decision.mode, decision.reason)
        if decision.mode is not last.mode and decision.mode in (Mode.DRIVING, Mode.DEGRADED) and last.reason:
            self._log(f"this is over: {last.reason}")

"""From one camera image to one command, whatever happens: the node's logic without ROS."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from wm_bundle import BundleManifest, ImageError, ImagePreprocessor

from wm_planner.continuity import NS_PER_S, EpisodeTracker, RateCheck, StatusBuffer, StatusSample
from wm_planner.errors import ConfigError, PlannerError
from wm_planner.planner import Plan, Planner

# Vector inputs a bundle may ask for, and where they come from.
_VECTOR_SOURCES: dict[tuple[str, str], Callable[[StatusSample], float]] = {
    ("speed", "m/s"): lambda sample: sample.speed_mps,
}

_SEARCH_SHARE = 0.8  # of the deadline; the rest is for publishing, and because times vary on a shared machine

BRAKE = np.array([0.0, 0.0, 1.0], np.float32)  # [steer, throttle, brake]


@dataclass(frozen=True)
class Frame:
    """A camera image as its message holds it, and when it arrived [s of the pilot's clock]."""

    stamp_ns: int
    height: int
    width: int
    encoding: str
    step: int
    data: object
    received_s: float


@dataclass(frozen=True)
class Decision:
    """What to command for one image.

    ``plan`` is None when braking, ``reason`` then says why. ``fatal``: no later image can be better, the node ends.
    """

    command: np.ndarray
    reason: str
    plan: Plan | None = None
    fatal: bool = False


class Pilot:
    """Decides every image. ``decide`` never raises: whatever goes wrong becomes a braking decision."""

    def __init__(self, planner: Planner, manifest: BundleManifest, deadline_s: float, *,
                 clock: Callable[[], float] = time.monotonic, log: Callable[[str], None]):
        """``deadline_s`` from an image's arrival to its command; ``log`` takes a line at each new episode.

        Raises ConfigError for a bundle whose inputs this node cannot provide.
        """
        check_inputs(manifest)
        self._planner = planner
        self._preprocess = ImagePreprocessor(manifest.image.cameras[0], manifest.image.height, manifest.image.width)
        self._vector = [_VECTOR_SOURCES[entry.name, entry.unit] for entry in manifest.vector]
        self._vector_names = ", ".join(entry.name for entry in manifest.vector)
        self._period_s = manifest.control_period_s
        self._max_status_age_ns = int(3.0 * self._period_s * NS_PER_S)
        self._deadline_s = deadline_s
        self._clock = clock
        self._log = log
        self.reset()

    def reset(self) -> None:
        """Forget all that was received: the node was activated."""
        self._planner.reset()
        self._statuses = StatusBuffer()
        self._tracker = EpisodeTracker(self._period_s)
        self._rate = RateCheck(self._period_s)
        self._last_stamp_ns: int | None = None
        self._was_busy = False

    def take_status(self, sample: StatusSample) -> None:
        """A vehicle_status came."""
        self._statuses.add(sample)

    def take_step_result(self, stamp_ns: int, ended: bool) -> None:
        """A StepResult came; ``ended``: terminated or truncated."""
        if ended:
            self._tracker.episode_ended(stamp_ns)

    def should_wait(self, stamp_ns: int) -> bool:
        """Whether the vehicle_status of this image's tick is still to be expected."""
        expected = bool(self._vector) or not self._statuses.empty
        return expected and self._statuses.at(stamp_ns) is None

    def note_command(self, command: np.ndarray) -> None:
        """A command (3,) was sent that no image asked for: the watchdog's brake."""
        self._planner.note_command(command)

    def decide(self, frame: Frame) -> Decision:
        """The command for one image. Call it once for each image, in the order of arrival."""
        try:
            decision = self._drive(frame)
        except ImageError as error:
            decision = Decision(BRAKE, str(error), fatal=True)
        except PlannerError as error:
            decision = Decision(BRAKE, str(error))
        except Exception as error:  # the vehicle must brake on any fault, also on those nobody thought of
            decision = Decision(BRAKE, f"internal error: {type(error).__name__}: {error}")
        if decision.plan is None:
            self._planner.reset()  # the belief lacks this frame, so the next one begins afresh
        self._planner.note_command(decision.command)
        self._was_busy = self._clock() - frame.received_s > 0.8 * self._period_s
        return decision

    def _drive(self, frame: Frame) -> Decision:
        stamp_ns, last_ns = frame.stamp_ns, self._last_stamp_ns
        self._last_stamp_ns = stamp_ns
        new_episode = self._tracker.begins(stamp_ns)
        image = self._preprocess(frame.height, frame.width, frame.encoding, frame.step, frame.data)
        rate_fault = self._rate.fault(stamp_ns, comparable=new_episode is None and not self._was_busy)
        if rate_fault is not None:
            return Decision(BRAKE, rate_fault, fatal=True)
        if stamp_ns == last_ns:
            raise PlannerError(f"the image's stamp {stamp_ns / NS_PER_S:.3f} s did not advance: a frozen camera?")
        if new_episode is not None:
            self._planner.reset()
            self._log(f"a new episode begins at stamp {stamp_ns / NS_PER_S:.3f} s: {new_episode}")
        self._planner.observe(image, self._vector_at(stamp_ns))
        plan = self._planner.plan(frame.received_s + _SEARCH_SHARE * self._deadline_s)
        return Decision(plan.action, "", plan)

    def _vector_at(self, stamp_ns: int) -> np.ndarray:
        sample = self._statuses.at(stamp_ns)
        if sample is not None:
            self._planner.note_command(np.array(sample.command, np.float32))  # what was applied until this stamp
        elif self._vector:
            sample = self._statuses.latest_before(stamp_ns, self._max_status_age_ns)
            if sample is None:
                raise PlannerError(f"no vehicle_status at or shortly before the image's stamp "
                                   f"{stamp_ns / NS_PER_S:.3f} s: the bundle needs {self._vector_names} from it")
        return np.array([source(sample) for source in self._vector], np.float32)


def check_inputs(manifest: BundleManifest) -> None:
    """Raise ConfigError for a bundle that needs inputs this planner does not have."""
    cameras = [camera.name for camera in manifest.image.cameras]
    if len(cameras) != 1:
        raise ConfigError(f"bundle {manifest.model_id} needs the cameras {', '.join(cameras)}; "
                          f"this planner takes exactly one")
    for entry in manifest.vector:
        if (entry.name, entry.unit) not in _VECTOR_SOURCES:
            known = ", ".join(f"{name} [{unit}]" for name, unit in _VECTOR_SOURCES)
            raise ConfigError(f"bundle {manifest.model_id} needs the vector input {entry.name} [{entry.unit}]; "
                              f"this planner provides {known}")

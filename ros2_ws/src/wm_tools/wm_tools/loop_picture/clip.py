"""What the animation shows: part of a recorded drive, what the model saw of it, and what it imagined instead.

Shapes: T rows of the clip, K pictures imagined in a turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from wm_bundle import BundleManifest, CameraSpec
from wm_bundle.times import NS_PER_S
from wm_planner.engine.engine import Engine

from wm_tools.common.console import ProgressBar
from wm_tools.common.errors import BagError, EvaluationError
from wm_tools.drive.imagined_moments import SETTLED_S
from wm_tools.evaluate_bag.imagination import imagine, pictures_of
from wm_tools.evaluate_bag.offline_pilot import Beliefs, OfflinePilot
from wm_tools.evaluate_bag.recording import Recording, Stretch
from wm_tools.loop_picture.loop_picture_options import LoopOptions


@dataclass(frozen=True)
class Clip:
    """T rows, one control period apart."""

    camera: np.ndarray
    """uint8 (T, h, w, 3) RGB, as recorded."""
    model: np.ndarray
    """uint8 (T, H, W, 3) RGB: the model's view of the same moment."""
    ahead: np.ndarray
    """(T,) int: for how many periods the model has not seen the camera, 0 where it sees it."""
    commands: np.ndarray
    """(T, 3): the recorded command from this row to the next."""
    start_s: float
    """Start of the clip since the recording's first picture."""
    period_s: float


@dataclass(frozen=True)
class _Found:
    """A stretch, its beliefs, and where the clip begins in it."""

    stretch: Stretch
    beliefs: Beliefs
    begin: int
    start_s: float
    steering: float


def steps_ahead(turns: int, look: int, horizon: int) -> np.ndarray:
    """(T,): ``turns`` times ``look`` seen rows (0), then ``horizon`` imagined rows (1, 2, …)."""
    return np.tile(np.concatenate([np.zeros(look, int), np.arange(1, horizon + 1)]), turns)


def make_clip(options: LoopOptions, pilot: OfflinePilot, manifest: BundleManifest, progress: ProgressBar) -> Clip:
    """Read the recording, run the bundle over it, and imagine. ``manifest`` is the bundle's own.

    Raises EvaluationError for a turn longer than the clip and for an unknown camera, BagError for a recording that
    cannot be used, EngineError.
    """
    camera = _camera_index(options, manifest)
    horizon = options.horizon or manifest.horizon
    turns = int(options.seconds / manifest.control_period_s + 1e-6) // (options.look + horizon)
    if turns < 1:
        needed_s = (options.look + horizon) * manifest.control_period_s
        raise EvaluationError(
            f"--seconds: expected at least {needed_s:.2f}, one turn of {options.look} pictures to "
            f"look at and {horizon} to imagine, found {options.seconds:g}"
        )
    ahead = steps_ahead(turns, options.look, horizon)
    recording = Recording(options.recording, manifest, options.reading, options.preprocessed, options.resample)
    if recording.drives != 1:
        raise BagError(f"{options.recording} holds {recording.drives} recordings: choose one of them")
    found = _find(options, pilot, recording, len(ahead), progress)
    rows = slice(found.begin, found.begin + len(ahead))
    episode = found.stretch.episode
    shown = np.array(episode.observations[rows])
    return Clip(
        camera=_recorded_pictures(recording, camera, episode.stamps_ns[rows], shown),
        model=_one_camera(_model_pictures(pilot.parts.engine, found, ahead), camera),
        ahead=ahead,
        commands=np.array(episode.actions[rows], np.float64),
        start_s=found.start_s,
        period_s=manifest.control_period_s,
    )


def _camera_index(options: LoopOptions, manifest: BundleManifest) -> int:
    names = [camera.name for camera in manifest.image.cameras]
    if options.camera is not None and options.camera not in names:
        raise EvaluationError(f"--camera: expected one of the bundle's, {', '.join(names)}, found '{options.camera}'")
    return names.index(options.camera or names[0])


def _find(options: LoopOptions, pilot: OfflinePilot, recording: Recording, count: int, progress: ProgressBar) -> _Found:
    """The stretch and the start in it of ``count`` rows. Raises BagError if there is none."""
    first_ns, best, longest = None, None, 0
    for stretch in recording.stretches(lambda number, pictures: progress.expect(pictures)):
        stamps_ns = stretch.episode.stamps_ns
        first_ns = int(stamps_ns[0]) if first_ns is None else first_ns
        since_s = (stamps_ns - first_ns) / NS_PER_S
        _, beliefs = pilot.decide(stretch, progress.advance)
        longest = max(longest, len(since_s))
        for begin in _beginnings(options.start_s, since_s, beliefs, count):
            steering = float(np.abs(stretch.episode.actions[begin : begin + count, 0]).mean())
            if best is None or steering > best.steering:
                best = _Found(stretch, beliefs, begin, float(since_s[begin]), steering)
        if options.start_s is not None and since_s[-1] >= options.start_s:
            break
    if best is None:
        period_s = pilot.parts.bundle.manifest.control_period_s
        where = "anywhere" if options.start_s is None else f"from --start {options.start_s:g} s on"
        raise BagError(
            f"{options.recording} has no {count * period_s:.2f} s ({count} pictures) {where} that the model saw "
            f"without a gap: the longest drive read in it has {longest * period_s:.2f} s; use fewer --seconds, a "
            f"shorter --horizon or another --start"
        )
    return best


def _beginnings(start_s: float | None, since_s: np.ndarray, beliefs: Beliefs, count: int) -> Iterator[int]:
    """Rows from which ``count`` rows all have a belief: the one at ``start_s``, or all that have settled."""
    begins = np.arange(max(0, len(since_s) - count + 1))
    lacking = np.concatenate([[0], np.cumsum(beliefs.age == 0)])
    begins = begins[lacking[begins + count] == lacking[begins]]
    if start_s is None:
        settled = begins[since_s[begins] >= since_s[0] + SETTLED_S]
        yield from settled if len(settled) else begins
        return
    wanted = int(np.searchsorted(since_s, start_s - 1e-6))
    # A stretch that begins after the requested time does not contain it.
    if wanted in begins and (wanted > 0 or abs(since_s[0] - start_s) < 1e-6):
        yield wanted


def _model_pictures(engine: Engine, found: _Found, ahead: np.ndarray) -> np.ndarray:
    """Pictures (T, C, H, W) decoded from the rows' beliefs, or from the imagined ones where imagined."""
    beliefs = found.beliefs.kept[found.begin : found.begin + len(ahead)].copy()
    actions = np.asarray(found.stretch.episode.actions[found.begin : found.begin + len(ahead)], np.float32)
    horizon = int(ahead.max())
    noise = np.zeros((1, horizon, engine.manifest.latent.stochastic), np.float32)
    for first in np.flatnonzero(ahead == 1):
        seen = first - 1
        future = imagine(engine, beliefs[seen], actions[None, seen : seen + horizon], noise)
        beliefs[first : first + horizon] = future.beliefs[0]
    return pictures_of(engine, beliefs)


def _recorded_pictures(recording: Recording, camera: int, stamps_ns: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The camera's pictures (T, h, w, 3) as recorded; if only those at the model's size were kept, these, from
    ``shown`` (T, C, H, W)."""
    image = recording.manifest.image
    spec = image.cameras[camera]
    whole = CameraSpec(spec.name, spec.source_height, spec.source_width)
    if not recording.has_camera_pictures:
        return _one_camera(shown, camera)
    cameras = tuple(whole if other is spec else other for other in image.cameras)
    manifest = replace(
        recording.manifest, image=replace(image, height=spec.source_height, width=spec.source_width, cameras=cameras)
    )
    as_recorded = replace(recording, manifest=manifest, notes=[], skipped={}, choices=[])
    wanted = {int(stamp): row for row, stamp in enumerate(stamps_ns)}
    pictures = np.empty((len(stamps_ns), spec.source_height, spec.source_width, 3), np.uint8)
    missing = len(wanted)
    for stretch in as_recorded.stretches():
        for row, stamp in enumerate(stretch.episode.stamps_ns):
            if int(stamp) in wanted:
                picture = stretch.episode.observations[row, 3 * camera : 3 * camera + 3]
                pictures[wanted[int(stamp)]] = picture.transpose(1, 2, 0)
                missing -= 1
        if not missing:
            return pictures
    raise BagError(f"{recording.source} gives different rows when read again: is it still being written?")


def _one_camera(pictures: np.ndarray, camera: int) -> np.ndarray:
    """One camera (T, H, W, 3) from stacked pictures (T, C, H, W)."""
    return np.ascontiguousarray(pictures[:, 3 * camera : 3 * camera + 3].transpose(0, 2, 3, 1))

"""A recorded drive as a bundle sees it: bags, converted in memory by wm_data, and episode files.

The converter decides which pictures are rows, which action was applied between two of them and its result. Here the
bundle's own preprocessing brings the pictures to the model's size, and what does not fit the bundle is refused.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from wm_bundle import (
    ACTION_HIGH,
    ACTION_LOW,
    COMPRESSIONS,
    BundleManifest,
    ImageError,
    ImagePreprocessor,
    decompress_image,
)
from wm_bundle.routes import is_route_input
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import VectorInput, converted_inputs
from wm_data.conversion.assembling import resampling
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.convert_options import BagReading, ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources import rosbag
from wm_data.conversion.sources.rosbag.episode_bags import stored_episode
from wm_data.episodes import Episode, EpisodeError, drives_in, find_episodes, read_episode, rows_of
from wm_data.errors import ConversionError
from wm_planner.pilot.preflight import for_preprocessed_images

from wm_tools.common.errors import BagError, EvaluationError
from wm_tools.evaluate_bag.episode_checks import check_period, checked_episode, evaluated_inputs

_PICTURE_BYTES = 2**28  # size limit of the pictures in one stretch of rows
_MIN_ROWS, _MAX_ROWS = 2, 2000
_REWARDED = {entry.name for entry in converted_inputs()}  # speed and yaw rate: read wherever they are


@dataclass(frozen=True)
class Stretch:
    """Rows of one drive without a gap; ``drive`` is its number.

    ``ended``: a step result ended the episode after the last row. ``knows_ends``: the recording contains such results.
    ``applied_before`` (3,): the action applied until the first row, None if unknown.
    """

    drive: int
    episode: Episode
    ended: bool
    knows_ends: bool
    applied_before: np.ndarray | None = None

    def first_rows(self, count: int) -> "Stretch":
        """The first ``count`` rows, or all if there are fewer."""
        if len(self.episode) <= count:
            return self
        return replace(self, episode=rows_of(self.episode, 0, count), ended=False)


@dataclass
class Recording:
    """Everything under one path, read again by every call of ``stretches``, at most some 256 MiB at a time."""

    source: Path
    manifest: BundleManifest
    reading: BagReading = BagReading()
    """How bags are read."""
    preprocessed: bool = False
    """Pictures of bags are already at the model's size."""
    resample: bool = False
    """Downsample a bag with a higher rate to the bundle's period."""
    notes: list[str] = field(default_factory=list)
    """Remarks for readers of the figures; filled while reading."""
    skipped: dict[str, int] = field(default_factory=dict)
    """Pictures and rows of bags that were skipped, by reason; filled while reading."""
    choices: list[str] = field(default_factory=list)
    """What the converter took from bags, and what it had to decide; filled while reading."""

    def __post_init__(self):
        """Find the recordings. Raises BagError."""
        self.source = self.source.expanduser()
        self._options = self._convert_options()
        with _as_bag_error():
            self._drives: Sequence[Path | DriveRef]
            if not _holds_episodes(self.source):
                self._drives = rosbag.find_drives(self._options)
            else:
                self._drives = [self.source] if self.source.is_file() else find_episodes(self.source)

    @property
    def drives(self) -> int:
        """How many recordings there are."""
        return len(self._drives)

    @property
    def has_camera_pictures(self) -> bool:
        """Whether its pictures are as the cameras sent them, not yet at the model's size."""
        return not self.preprocessed and not any(map(_is_episode, self._drives))

    def stretches(
        self, progress: Callable[[int, int | None], None] = lambda drive, pictures: None
    ) -> Iterator[Stretch]:
        """All rows in order. ``progress`` gets the drive's number and how many pictures it has, if known.

        Raises BagError if something cannot be read or does not fit the bundle.
        """
        for told in (self.notes, self.skipped, self.choices):
            told.clear()
        found = False
        with _as_bag_error():
            for number in range(self.drives):
                for stretch in self._of_drive(number, progress):
                    found = True
                    yield stretch
        if not found:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in self.skipped.items())
            raise BagError(f"{self.source} holds no rows to evaluate: {reasons or 'it has no pictures'}")

    def _of_drive(self, number: int, progress) -> Iterator[Stretch]:
        ref = self._drives[number]
        if _is_episode(ref):
            stored, place = (read_episode(ref), ref) if isinstance(ref, Path) else (stored_episode(ref), ref.paths[0])
            progress(number, len(stored))
            for _, part in drives_in(self._checked(stored, str(place))):  # another tool may have put several into one
                yield Stretch(number, part, ended=bool(part.dones[-1]), knows_ends=True)
            return
        with rosbag.open_drive(ref, self._options, self._view) as drive:
            progress(number, drive.expected_pictures)
            check_period(drive.picture_period_ns / NS_PER_S, self.manifest, ref.paths[0], self.resample)
            try:
                for episode in episodes_of_drive(drive, self._options):
                    checked = self._checked(episode, ref.paths[0])
                    yield Stretch(number, checked, *_ending(drive, episode), _applied_before(drive, episode))
            finally:  # also if no more rows are needed
                self._take_report(drive.report)

    def _checked(self, episode: Episode, place: str) -> Episode:
        episode, notes = checked_episode(episode, self.manifest, place)
        self.notes += [note for note in notes if note not in self.notes]
        return episode

    def _take_report(self, report: DriveReport) -> None:
        for reason, count in report.skipped.items():
            self.skipped[reason] = self.skipped.get(reason, 0) + count
        named = f"{report.name}: " if self.drives > 1 else ""
        self.choices += [f"{named}{note}" for note in report.notes]

    def _convert_options(self) -> ConvertOptions:
        image, reading = self.manifest.image, vars(self.reading)
        if self.reading.route == "none" and any(is_route_input(spec.name) for spec in self.manifest.vector):
            reading = {**reading, "route": "auto"}
        may_lack = {spec.name for spec in self.manifest.vector if spec.gaps} - _REWARDED
        row_bytes = image.channels * image.height * image.width
        try:
            return _BundleOptions(
                "rosbag",
                str(self.source),
                "",
                cameras=tuple(camera.name for camera in image.cameras),
                **reading,
                signal_gaps=tuple(may_lack),
                taken=tuple(evaluated_inputs(self.manifest).values()),
                of_bundle=tuple(spec.name for spec in self.manifest.vector),
                rate=1.0 / self.manifest.control_period_s if self.resample else None,
                min_rows=_MIN_ROWS,
                max_rows=int(np.clip(_PICTURE_BYTES // row_bytes, 100, _MAX_ROWS)),
            )
        except ValueError as error:
            raise BagError(str(error)) from None

    def _view(self, camera: str) -> CameraView:
        image = for_preprocessed_images(self.manifest.image) if self.preprocessed else self.manifest.image
        spec = next(entry for entry in image.cameras if entry.name == camera)
        return _BundleCamera(camera, ImagePreprocessor(spec, image.height, image.width))


def _holds_episodes(source: Path) -> bool:
    """Whether it is an episode file, or a folder of episode files without a bag."""
    if source.is_file():
        return source.suffix == ".npz"
    return source.is_dir() and not (source / "metadata.yaml").exists() and any(source.glob("*.npz"))


def _is_episode(ref: Path | DriveRef) -> bool:
    """Whether it already holds rows, as an episode file or a bag made from one."""
    return isinstance(ref, Path) or bool(ref.locator.get("whole_episode"))


def _ending(drive: Drive, episode: Episode) -> tuple[bool, bool]:
    """Whether a step result ended the episode after its last row, and whether the recording says anything about ends.

    A collision that ends an episode in the converter's reward does not end it for the planner, which only sees step
    results.
    """
    signals = drive.present
    knows_ends = signals.step is not None or signals.collision is not None
    if signals.step is None:
        return False, knows_ends
    stamps, values = signals.step.stamps, signals.step.values
    after = int(np.searchsorted(stamps, episode.stamps_ns[-1], "right"))
    return after < len(stamps) and bool(values[after, 1:].any()), knows_ends


def _applied_before(drive: Drive, episode: Episode) -> np.ndarray | None:
    """The command in a vehicle status with the stamp of the first row."""
    control = drive.present.control
    if control is None or control.holds != "before":
        return None
    (applied,) = resampling.exactly_at(control, episode.stamps_ns[:1])
    return np.clip(applied, ACTION_LOW, ACTION_HIGH) if np.isfinite(applied).all() else None


def present_cameras(episode: Episode) -> np.ndarray:
    """bool (T, K): which pictures exist."""
    if episode.camera_mask is not None:
        return episode.camera_mask
    return np.ones((len(episode), episode.observations.shape[1] // 3), bool)


@contextmanager
def _as_bag_error() -> Iterator[None]:
    """Turns every failure while reading into a BagError of one line."""
    try:
        yield
    except EvaluationError:
        raise
    except (ConversionError, EpisodeError, ImageError, OSError) as error:
        raise BagError(str(error)) from None
    except Exception as error:  # for a damaged file, the libraries raise exceptions of every kind
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise BagError(
            f"unexpected {type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {error}; the recording "
            f"may be damaged in a way the reader does not know"
        ) from error


@dataclass(frozen=True)
class _BundleOptions(ConvertOptions):
    """Takes a bundle's vector inputs; ``checked_episode`` tells which it lacks."""

    taken: tuple[VectorInput, ...] = ()
    of_bundle: tuple[str, ...] = ()

    def inputs(self) -> dict[str, VectorInput]:
        return {entry.name: entry for entry in self.taken}

    def asked(self) -> set[str]:
        return set(self.of_bundle)

    def needed(self) -> set[str]:
        return set()


class _BundleCamera(CameraView):
    """A camera whose pictures have the size that the bundle's preprocessing expects."""

    def __init__(self, name: str, preprocess: ImagePreprocessor):
        super().__init__(name)
        self._preprocess = preprocess

    def __call__(self, height: int, width: int, encoding: str, step: int, data) -> np.ndarray:
        """(3, height, width) uint8 RGB. Raises ImageError for a damaged picture, BagError for one of another size."""
        if encoding in COMPRESSIONS:
            return self.from_array(decompress_image(encoding, data))
        spec = self._preprocess.camera
        if (height, width) != (spec.source_height, spec.source_width):
            at_size = (height, width) == (self._preprocess.height, self._preprocess.width)
            advice = ", or, as this is the model's size, set --set preprocessed_images=true"
            raise BagError(
                f"camera '{self.name}' of the recording has pictures of {width}x{height} pixels, the bundle expects "
                f"{spec.source_width}x{spec.source_height}: evaluate a bundle that was trained for this camera"
                f"{advice if at_size else ''}"
            )
        return self._preprocess(height, width, encoding, step, data)

"""The route of a drive's rows: as it was recorded, or in hindsight."""

import zlib

import numpy as np
from wm_bundle.routes import distances_among, is_route_input, scale_of
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.conversion.assembling.vector import Known
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, Signal, Signals
from wm_data.errors import ConversionError
from wm_data.routes.driven import LONGEST_GAP_S, DrivenPath, PathError, integrated
from wm_data.routes.following import Recorded, follow
from wm_data.routes.hindsight import hindsight_legs

_INSTEAD = "leave out --route"


class RouteMaker:
    """Makes the route's columns for a drive's stretches of rows."""

    def __init__(self, drive: Drive, options: ConvertOptions):
        """Raises ConversionError where the recording has no route, or no path to make one of."""
        self._report = drive.report
        self._noise_m, self._seed = options.route_noise, zlib.crc32(drive.report.name.encode())
        self._names = [name for name in options.inputs() if is_route_input(name)]
        distances = distances_among(self._names)
        self._ahead_m, self._scale = max(distances, default=0.0), scale_of(distances)
        self._recorded = drive.driven or _of_motion(drive, options)
        self._rows = self._unknown = self._guided = self._astray = 0
        hindsight = self._recorded.legs is None
        self.meta = {"source": "hindsight" if hindsight else "recorded", "path": self._recorded.origin}
        if hindsight:
            self.meta["noise_m"] = self._noise_m
        self._report.note(f"route: {self.meta['source']}, path by {self._recorded.origin}")

    def columns(self, stamps: np.ndarray, places: np.ndarray) -> tuple[dict[str, Known], np.ndarray]:
        """Of a stretch of rows without a gap, at their ``stamps`` (n,) and ``places`` (n,): the inputs by name, and the
        progress (n - 1,) [m] from each row to the next, NaN where unknown."""
        path, legs = self._recorded.path, self._recorded.legs
        if legs is None:
            poses, of_rows = hindsight_legs(
                path, stamps, int(places[0]), self._noise_m, self._seed, self._ahead_m, self._scale
            )
        else:
            poses, _ = path.at(stamps, int(places[0]))
            since = np.array([place for place, _ in legs], np.int64)
            of_rows = [legs[k][1] if k >= 0 else None for k in (np.searchsorted(since, places, "right") - 1).tolist()]
        values, progress_m, astray = follow(of_rows, poses, self._names)
        self._guided += sum(leg is not None for leg in of_rows)
        self._astray += int(astray.sum())
        return {name: (column[:, None], np.isfinite(column)) for name, column in values.items()}, progress_m

    def count(self, columns: np.ndarray) -> None:
        """Note the columns (n, R) of an episode's rows."""
        self._rows += len(columns)
        self._unknown += int(np.isnan(columns).any(axis=1).sum())

    def finish(self) -> None:
        """Report rows that lack some of the route or are astray."""
        if self._astray:
            told = (
                f"{self._astray} of {self._guided} rows are off the route or face the other way: planners brake there"
            )
            other = self._recorded.legs is not None and 2 * self._astray > self._guided
            self._report.note(told + "; is it the route that was driven? Else use --route hindsight" * other)
        if self._unknown:
            self._report.note(
                f"{self._unknown} of {self._rows} rows do not know all of their route (NaN): those whose way ahead was "
                f"not driven any more, or without a pose or a route at their time"
            )


def path_of_motion(signals: Signals[Signal]) -> DrivenPath:
    """The path by speed along the heading and yaw rate. Raises ConversionError where they are missing."""
    told = [signals.vector.get(name) for name in (SPEED.name, YAW_RATE.name)]
    missing = [name for name, one in zip(("speed", "yaw rate"), told, strict=True) if one is None or not one.stamps]
    if missing:
        raise ConversionError(
            f"the recording has no positions, and its path cannot be told without {' and '.join(missing)}, so it has "
            f"no route: {_INSTEAD}"
        )
    speed, yaw_rate = told
    if (np.diff(np.array(speed.stamps, np.int64)) < -NS_PER_S).any():
        raise ConversionError(f"the clock restarts, and without odometry the path is not known: {_INSTEAD}")
    speeds, rates = speed.samples, yaw_rate.samples
    if len(speeds.stamps) < 2 or not len(rates.stamps):
        raise ConversionError(f"the recording has too few speeds and yaw rates for a path: {_INSTEAD}")
    since, own = speeds.stamps - speeds.stamps[0], rates.stamps - speeds.stamps[0]
    at = np.interp(since, own, rates.values[:, 0])
    mean = at[1:] if rates.holds == "before" else 0.5 * (at[1:] + at[:-1])
    far = np.abs(own[np.clip(np.searchsorted(own, since), 0, len(own) - 1)] - since) / NS_PER_S
    near = np.abs(own[np.clip(np.searchsorted(own, since) - 1, 0, len(own) - 1)] - since) / NS_PER_S
    broken = np.minimum(far, near) > LONGEST_GAP_S
    return DrivenPath(speeds.stamps, integrated(speeds.stamps, speeds.values[:, 0], mean), broken=broken)


def _of_motion(drive: Drive, options: ConvertOptions) -> Recorded:
    if options.route == "recorded":
        raise ConversionError("the recording has no route of its own: use --route hindsight")
    try:
        return Recorded(path_of_motion(drive.signals), "speed and yaw rate")
    except PathError as error:
        raise ConversionError(str(error)) from None

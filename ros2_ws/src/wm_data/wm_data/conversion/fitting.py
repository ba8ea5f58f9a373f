"""Existing episodes adapted to the options: rows are kept, pictures are resized."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from wm_bundle import ImageError

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.pictures import CameraView, usual_names
from wm_data.episodes import Episode
from wm_data.errors import ConversionError
from wm_data.rates import rate_of, same_rate


def fitted(episode: Episode, file: Path, options: ConvertOptions) -> Episode:
    """An episode adapted to the options; ``file`` is its source. Raises ConversionError."""
    try:
        return _resized(_chosen_cameras(_with_rate(episode, file, options), file, options), options)
    except (ImageError, TypeError, KeyError) as error:
        raise ConversionError(f"{file}: {error}") from None


def _with_rate(episode: Episode, file: Path, options: ConvertOptions) -> Episode:
    """--rate sets the rate of an episode without one; it does not change a rate."""
    if options.rate is None:
        return episode
    if episode.meta.get("rate_hz") is None:
        return replace(episode, meta={**episode.meta, "rate_hz": options.rate})
    if not same_rate(rate_of(episode.meta), options.rate):
        raise ConversionError(
            f"{file} is at {episode.meta['rate_hz']} Hz, and the rows of an episode are kept: leave out --rate "
            f"{options.rate:g}"
        )
    return episode


def _camera_metas(episode: Episode) -> list[dict] | None:
    """The episode's camera metas; None if they are missing or do not match its pictures."""
    cameras = episode.meta.get("cameras")
    fits = (
        isinstance(cameras, list)
        and len(cameras) * 3 == episode.observations.shape[1]
        and all(isinstance(camera, dict) and isinstance(camera.get("name"), str) for camera in cameras)
    )
    return cameras if fits else None


def _chosen_cameras(episode: Episode, file: Path, options: ConvertOptions) -> Episode:
    if not options.cameras:
        return episode
    count = episode.observations.shape[1] // 3
    metas = _camera_metas(episode)
    if metas is None:
        if len(options.cameras) != count:
            raise ConversionError(
                f"{file} does not name its {count} cameras, so --cameras must give a name to each: "
                f"it has {len(options.cameras)}"
            )
        return episode  # _resized uses the names
    names = [meta["name"] for meta in metas]
    unknown = [name for name in options.cameras if name not in names]
    if unknown:
        raise ConversionError(f"{file} has no camera {', '.join(unknown)}; it has {', '.join(names)}")
    chosen = [names.index(name) for name in options.cameras]
    if chosen == list(range(count)):
        return episode
    channels = [3 * k + c for k in chosen for c in range(3)]
    return replace(
        episode,
        observations=episode.observations[:, channels],
        camera_mask=None if episode.camera_mask is None else episode.camera_mask[:, chosen],
        meta={**episode.meta, "cameras": [metas[k] for k in chosen]},
    )


def _resized(episode: Episode, options: ConvertOptions) -> Episode:
    """Pictures cropped and resized by the options.

    The episode's camera metas stay valid where full pictures are only scaled, as the planner scales the camera's own.
    Otherwise the episode's pictures count as the cameras' own.
    """
    rows, channels, height, width = episode.observations.shape
    size = options.image_size
    metas = _camera_metas(episode)
    names = [meta["name"] for meta in metas] if metas else options.cameras or usual_names(channels // 3)
    views = [CameraView(name, size, options.fit, options.crop) for name in names]
    as_they_are = (height, width) == (size, size) and options.crop is None
    observations = episode.observations
    if not as_they_are or metas is None:
        pictures = np.empty((rows, channels, size, size), np.uint8)
        for t in range(rows):
            for k, view in enumerate(views):
                pictures[t, 3 * k : 3 * k + 3] = view.from_rgb(observations[t, 3 * k : 3 * k + 3])
        observations = pictures
    only_scaled = options.crop is None and (options.fit == "stretch" or height == width)
    if metas is None or not only_scaled:
        metas = [view.meta for view in views]
    return replace(episode, observations=observations, meta={**episode.meta, "cameras": metas})

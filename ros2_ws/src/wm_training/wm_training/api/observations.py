"""Observations of the public API, and their conversion to tensors of the model's shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from wm_bundle import ImagePreprocessor
from wm_data.episodes import Episode

from wm_training.configuration.values import nearest
from wm_training.data.dataset import window
from wm_training.exporting.cameras import cameras_of_meta
from wm_training.model.world_model import WorldModel

Array = np.ndarray | Tensor


@dataclass(frozen=True)
class Observations:
    """Pictures and their vector inputs, actions and masks; numpy arrays or tensors that share their first axes.

    No first axis: one picture. (T,): the rows of one drive, or for functions of a single moment (B,): B pictures.
    (B, T): the rows of B drives.
    """

    image: Array
    """(…, C, H, W) or (…, H, W, C) uint8 RGB at the model's size, cameras stacked along C."""
    vector: Array | None = None
    """(…, V) physical units; may be missing only where the model has V = 0."""
    previous_action: Array | None = None
    """(…, A): the command applied before the picture, a_{t-1}; the one before the first row is not needed."""
    camera_mask: Array | None = None
    """(…, K): 1 where the camera's picture is present; None: all are."""

    @classmethod
    def of_episode(cls, episode: Episode, rows: slice = slice(None)) -> "Observations":
        """Rows of a recorded drive, (T, …). The command before the first of them is zero where none was recorded."""
        first, end, _ = rows.indices(len(episode))
        seen = window(episode, first, end - first)
        mask = None if episode.camera_mask is None else seen["camera_mask"]
        return cls(seen["image"], seen["vector"], seen["previous_action"], mask)

    @classmethod
    def stack(cls, drives: Sequence["Observations"]) -> "Observations":
        """Rows (T, …) of B drives, numpy arrays of equal shapes, as (B, T, …)."""
        parts = {field.name: [getattr(drive, field.name) for drive in drives] for field in fields(cls)}
        if any(mask is not None for mask in parts["camera_mask"]):
            cameras = drives[0].image.shape[1] // 3
            parts["camera_mask"] = [
                np.ones((len(drive.image), cameras), bool) if drive.camera_mask is None else drive.camera_mask
                for drive in drives
            ]
        return cls(**{name: None if part[0] is None else np.stack(part) for name, part in parts.items()})


class Rows(NamedTuple):
    """Checked observations in the model's format, on its device."""

    image: Tensor
    """(B, T, C, H, W) uint8."""
    vector: Tensor
    """(B, T, V); NaN where unknown, for models trained with gaps."""
    camera_mask: Tensor
    """(B, T, K)."""
    previous_action: Tensor | None
    """(B, T, A)."""


def rows_of(model: WorldModel, given: Observations | Mapping[str, Any] | Array, moment: bool = False) -> Rows:
    """Observations as rows. With ``moment`` T is 1 and a single first axis is the batch.

    Raises ValueError for unsuitable ones, with expected and found.
    """
    observations = _observations(given)
    device = model.vector_mean.device
    image = _channels_first(model, _tensor(observations.image, "image", device))
    lead = tuple(image.shape[:-3])
    if len(lead) > (1 if moment else 2):
        expected = "at most one axis" if moment else "at most two axes"
        raise ValueError(f"image has shape {tuple(image.shape)}, expected {expected} before those of the picture")
    if 0 in lead:
        raise ValueError(f"image has shape {tuple(image.shape)}, expected at least one picture")
    if moment:
        shape = (*(lead or (1,)), 1)
    else:
        shape = (1,) * (2 - len(lead)) + lead

    def numbers(name: str, size: int) -> Tensor | None:
        value = getattr(observations, name)
        if value is None:
            return None
        value = _tensor(value, name, device)
        if name == "vector" and model.gaps and value.shape == (*lead, size):
            unknown = value.isnan() & torch.zeros(size, dtype=bool, device=device).index_fill(
                0, torch.tensor(model.gaps, device=device), True
            )
            known = finite(value.masked_fill(unknown, 0.0), name, (*lead, size))
            return known.masked_fill(unknown, torch.nan).reshape(*shape, size)
        return finite(value, name, (*lead, size)).reshape(*shape, size)

    vector = numbers("vector", len(model.vector_mean))
    if vector is None:
        if len(model.vector_mean):
            raise ValueError(f"vector is missing, expected (…, {len(model.vector_mean)}), as in the model's training")
        vector = torch.zeros(*shape, 0, device=device)
    mask = numbers("camera_mask", model.cameras)
    if mask is None:
        mask = torch.ones(*shape, model.cameras, device=device)
    previous = numbers("previous_action", model.config.action_dim)
    return Rows(image.reshape(*shape, *image.shape[-3:]), vector, mask, previous)


def finite(value: Tensor, name: str, shape: tuple[int, ...]) -> Tensor:
    """``value`` as float32. Raises ValueError for another shape, and for NaN or infinity."""
    if tuple(value.shape) != shape:
        raise ValueError(f"{name}: found shape {tuple(value.shape)}, expected {shape}")
    value = value.to(torch.float32)
    if not value.isfinite().all():
        raise ValueError(f"{name}: found numbers that are not finite")
    return value


def at_model_size(meta: Mapping[str, Any], size: int, pictures: Sequence[np.ndarray]) -> np.ndarray:
    """One picture (rows, columns, 3) uint8 RGB per camera as (C, size, size), cropped and resized as in the episodes
    with that ``meta``. Raises ValueError for pictures that do not match the cameras."""
    cameras = cameras_of_meta({"cameras": [], **meta})
    if len(pictures) != len(cameras):
        raise ValueError(f"{len(pictures)} pictures are given, expected one of each camera: {len(cameras)}")
    found = []
    for camera, picture in zip(cameras, pictures, strict=True):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"the picture of camera '{camera.name}' is {picture.dtype} with shape {picture.shape}, expected uint8 "
                f"with (rows, columns, 3)"
            )
        rows, columns = picture.shape[:2]
        prepare = ImagePreprocessor(camera, size, size)
        found.append(prepare(rows, columns, "rgb8", 3 * columns, np.ascontiguousarray(picture)))
    return np.concatenate(found)


def _observations(given: Observations | Mapping[str, Any] | Array) -> Observations:
    if isinstance(given, Observations):
        return given
    if not isinstance(given, Mapping):
        return Observations(given)
    names = [field.name for field in fields(Observations)]
    for name in given:
        if name not in names:
            raise ValueError(f"unknown observation {name!r}, {nearest(name, names)}")
    if "image" not in given:
        raise ValueError(f"the observations have no image; found {', '.join(given) or 'nothing'}")
    return Observations(**given)


def _tensor(value: Array, name: str, device: torch.device) -> Tensor:
    if isinstance(value, np.ndarray | np.generic):
        # A copy: memory-mapped episodes are read-only, which torch warns about.
        value = torch.from_numpy(np.array(value))
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} is of type {type(value).__name__}, expected a numpy array or a tensor")
    return value.to(device)


def _channels_first(model: WorldModel, image: Tensor) -> Tensor:
    size, channels = model.config.image_size, model.channels
    planes, pixels = (channels, size, size), (size, size, channels)
    found = tuple(image.shape)
    if image.dtype != torch.uint8 or found[-3:] not in (planes, pixels):
        raise ValueError(
            f"image is {str(image.dtype).removeprefix('torch.')} with shape {found}, expected uint8 with (…, "
            f"{channels}, {size}, {size}) or (…, {size}, {size}, {channels}): RGB at the model's size, "
            f"{model.cameras} camera{'s' if model.cameras > 1 else ''} stacked along the channels"
        )
    return image.movedim(-1, -3) if found[-3:] == pixels else image

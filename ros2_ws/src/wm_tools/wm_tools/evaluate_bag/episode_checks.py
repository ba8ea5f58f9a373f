"""Checks that recorded rows fit a bundle, and converts them to the bundle's cameras and inputs."""

from dataclasses import replace

import numpy as np
from wm_bundle import BundleManifest
from wm_bundle.free_signals import SignalError, bundle_inputs
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import VectorInput, converted_inputs
from wm_data.episodes import Episode
from wm_data.line import usual_step_ns
from wm_data.rates import rate_of

from wm_tools.common.errors import BagError

_SAME_PERIOD = 0.1  # as in the planner's check of the rate


def check_period(period_s: float, manifest: BundleManifest, place: str, resample: bool) -> None:
    """Raise BagError if the pictures' ``period_s`` is not the bundle's.

    ``resample``: more pictures than needed are allowed.
    """
    wanted_s = manifest.control_period_s
    if abs(period_s / wanted_s - 1.0) <= _SAME_PERIOD or (resample and period_s < wanted_s):
        return
    advice = "; --resample takes those nearest to the bundle's period" if period_s < wanted_s else ""
    raise BagError(
        f"{place} has a picture every {period_s:.3f} s, the bundle {manifest.model_id} was trained for one every "
        f"{wanted_s:g} s: evaluate a bundle for this period{advice}"
    )


def checked_episode(episode: Episode, manifest: BundleManifest, place: str) -> tuple[Episode, list[str]]:
    """The episode with the bundle's cameras in the bundle's order, its vector inputs, and stamps; and notes for the
    reader.

    Rewards of another kind than the bundle predicts become NaN. Raises BagError if something that the bundle needs is
    missing.
    """
    notes: list[str] = []
    if episode.actions.shape[1] != 3:
        raise BagError(f"{place} has actions of {episode.actions.shape[1]} numbers, expected steer, throttle, brake")
    observations, mask = _cameras(episode, manifest, place, notes)
    stamps = _stamps(episode, manifest, place, notes)
    return (
        replace(
            episode,
            observations=observations,
            camera_mask=mask,
            vector=_vector(episode, manifest, place),
            rewards=_rewards(episode, manifest, notes),
            stamps_ns=stamps,
        ),
        notes,
    )


def _cameras(episode: Episode, manifest: BundleManifest, place: str, notes: list[str]):
    """Pictures (T, C, H, W) and mask (T, K) or None, of the bundle's cameras in its order."""
    image = manifest.image
    _, channels, height, width = episode.observations.shape
    if (height, width) != (image.height, image.width):
        raise BagError(
            f"{place} holds pictures of {width}x{height} pixels, made for a model of this size; the bundle "
            f"{manifest.model_id} sees {image.width}x{image.height}: evaluate it with the recording itself"
        )
    wanted = [camera.name for camera in image.cameras]
    told = episode.meta.get("cameras")
    told = told if isinstance(told, list) and all(isinstance(camera, dict) for camera in told) else []
    names = [camera.get("name") for camera in told] if len(told) == channels // 3 else []
    if not names and channels == image.channels:
        notes.append(f"the recording does not name its cameras: assumed to be {', '.join(wanted)}")
        names = wanted
    missing = [name for name in wanted if name not in names]
    if missing and len(wanted) == len(names) == 1:
        notes.append(f"the recording's camera {names[0]} is used as the bundle's {wanted[0]}")
        names, missing = wanted, []
    if missing:
        found = ", ".join(map(str, names)) or f"{channels // 3} without names"
        raise BagError(
            f"{place} lacks the camera {', '.join(missing)} of the bundle {manifest.model_id}; it has {found}"
        )
    chosen = [names.index(name) for name in wanted]
    _note_other_views([told[k] for k in chosen] if told else [], manifest, notes)
    if chosen == list(range(channels // 3)):
        return episode.observations, episode.camera_mask
    mask = None if episode.camera_mask is None else episode.camera_mask[:, chosen]
    return episode.observations[:, [3 * k + c for k in chosen for c in range(3)]], mask


def _note_other_views(told: list[dict], manifest: BundleManifest, notes: list[str]) -> None:
    for camera, spec in zip(told, manifest.image.cameras, strict=False):
        crop = camera.get("crop")
        crop = tuple(crop) if isinstance(crop, list) else None
        if (crop, bool(camera.get("letterbox", False))) != (spec.crop, spec.letterbox):
            notes.append(
                f"the recording's pictures of {spec.name} were cropped or framed differently from the bundle's: "
                f"its figures are for pictures that it was not trained on"
            )


def evaluated_inputs(manifest: BundleManifest) -> dict[str, VectorInput]:
    """The columns of a checked episode's vector, by name: speed and yaw rate, then what else the bundle has. Raises
    BagError for a bundle with an input that nobody knows."""
    try:
        needed = {entry.name: entry for entry in bundle_inputs(manifest)}
    except SignalError as error:
        raise BagError(str(error)) from None
    return {entry.name: entry for entry in converted_inputs()} | needed


def _vector(episode: Episode, manifest: BundleManifest, place: str) -> np.ndarray:
    """(T, V): ``evaluated_inputs``, NaN where the recording has none. Raises BagError if the bundle needs a missing
    one."""
    inputs = evaluated_inputs(manifest)
    for spec in manifest.vector:
        entry = inputs[spec.name]
        if episode.told(entry) is None:
            if spec.gaps:
                continue
            raise BagError(
                f"{place} has no {spec.name} [{spec.unit}], which the bundle {manifest.model_id} needs; expected it "
                f"from {_advice(entry)}"
            )
        unit = episode.meta["vector"][entry.place(episode.meta["vector"])].get("unit", spec.unit)
        if unit != spec.unit:
            raise BagError(
                f"{place} has {spec.name} in {unit}, the bundle {manifest.model_id} takes {spec.unit}: "
                f"convert it to that"
            )
    columns = [episode.told(entry) for entry in inputs.values()]
    unknown = np.full(len(episode), np.nan, np.float32)
    return np.stack([unknown if column is None else column for column in columns], 1)


def _advice(entry: VectorInput) -> str:
    """Where a bag has an input, and what to specify to read it."""
    if entry.definition:
        return entry.definition
    if entry.usual:
        return " or ".join(source.topic.leaf.replace("_", " ") for source in entry.sources)
    return "--topics " + " or ".join(f"{kind}=TOPIC" for kind in entry.kinds)


def _rewards(episode: Episode, manifest: BundleManifest, notes: list[str]) -> np.ndarray:
    name = episode.meta.get("reward", manifest.reward_name)
    if name == manifest.reward_name:
        return episode.rewards
    notes.append(
        f"the recording's reward is '{name}', the bundle predicts '{manifest.reward_name}': no figures of "
        f"reward and return"
    )
    return np.full(len(episode), np.nan, np.float32)


def _stamps(episode: Episode, manifest: BundleManifest, place: str, notes: list[str]) -> np.ndarray:
    """int64 (T,) [ns], rising. Raises BagError."""
    if episode.stamps_ns is None:
        rate = rate_of(episode.meta)
        if rate is None:
            notes.append("the recording does not state its rate: assumed to be the bundle's")
        else:
            check_period(1.0 / rate, manifest, place, resample=False)
        return np.arange(1, len(episode) + 1, dtype=np.int64) * round(manifest.control_period_s * NS_PER_S)
    steps = np.diff(np.asarray(episode.stamps_ns))
    if (steps <= 0).any():
        raise BagError(f"{place} has stamps that do not rise at row {int(np.argmax(steps <= 0)) + 1}")
    if len(steps):
        check_period(usual_step_ns(episode.stamps_ns) / NS_PER_S, manifest, place, resample=False)
    return np.asarray(episode.stamps_ns, np.int64)

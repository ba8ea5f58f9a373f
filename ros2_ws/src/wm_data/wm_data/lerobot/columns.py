"""The LeRobot columns of an episode."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa

from wm_data.agreement import check, traits_of
from wm_data.episodes import Episode, read_episode
from wm_data.errors import ConversionError
from wm_data.rates import rate_of, same_rate

PICTURES = "observation.images."
ACTION_NAMES = ["steer", "throttle", "brake"]
_UNKNOWN_RATE_HZ = 10.0


@dataclass(frozen=True)
class Layout:
    """Properties shared by all episodes of a dataset. Names become columns, sizes are checked.

    ``rates_hz`` are the lowest and the highest rate in the episodes, none if they have none; LeRobot has one
    rate, ``rate_hz``: the median.
    """

    cameras: tuple[str, ...]
    size: tuple[int, int]
    """Height and width [px]."""
    vector: tuple[str, ...]
    reward_terms: tuple[str, ...]
    rate_hz: float
    rates_hz: tuple[float, ...]
    has_expert: bool
    has_stamps: bool
    has_mask: bool

    @classmethod
    def of(cls, files: list[Path]) -> "Layout":
        """The layout of episode files, read one at a time: compressed ones take memory. Raises EpisodeError, and
        ConversionError where they do not match."""
        agreed, traits = None, []
        expert = stamps = mask = 0
        rates = []
        for file in files:
            episode = read_episode(file)
            if episode.actions.shape[1] != len(ACTION_NAMES):
                raise ConversionError(f"episode {file} has actions of {episode.actions.shape[1]} numbers, expected 3")
            found = _common(episode, file)
            agreed = agreed or found
            for what, here, there in zip(_Common._fields, found, agreed, strict=True):
                if not (same_rate(here, there) if what == "rate" else here == there):
                    raise ConversionError(
                        f"episode {file} has the {what.replace('_', ' ')} {here}, {files[0].name} has {there}: "
                        f"a LeRobot dataset has one of it, keep them in separate folders"
                    )
            traits.append(traits_of(f"episode {file.name}", episode))
            expert += bool(np.isfinite(episode.expert_actions).any())
            stamps += episode.stamps_ns is not None
            mask += episode.camera_mask is not None
            rates += [found.rate] if found.rate is not None else []
        check(traits)
        return cls(
            cameras=agreed.cameras,
            size=agreed.picture_size,
            vector=agreed.vector_inputs,
            reward_terms=agreed.reward_terms,
            rate_hz=float(np.median(rates)) if rates else _UNKNOWN_RATE_HZ,
            rates_hz=(min(rates), max(rates)) if rates else (),
            has_expert=expert > 0,
            has_stamps=stamps == len(files),
            has_mask=mask > 0,
        )

    @property
    def features(self) -> dict[str, dict]:
        """The ``features`` of info.json, in the order of the columns."""
        picture = {"dtype": "image", "shape": [*self.size, 3], "names": ["height", "width", "channels"]}
        numbers = (  # name, type, names of the numbers or None for a single one, and whether it is present
            ("observation.state", "float32", self.vector, bool(self.vector)),
            ("action", "float32", ACTION_NAMES, True),
            ("next.reward", "float32", None, True),
            ("next.done", "bool", None, True),
            ("next.terminal", "bool", None, True),
            ("next.reward_terms", "float32", self.reward_terms, bool(self.reward_terms)),
            ("expert_action", "float32", ACTION_NAMES, self.has_expert),
            ("camera_mask", "bool", self.cameras, self.has_mask),
            ("stamp_ns", "int64", None, self.has_stamps),
            ("timestamp", "float32", None, True),
            *((name, "int64", None, True) for name in ("frame_index", "episode_index", "index", "task_index")),
        )
        return {f"{PICTURES}{name}": picture for name in self.cameras} | {
            name: {"dtype": dtype, "shape": [len(names or "1")], "names": names and list(names)}
            for name, dtype, names, is_there in numbers
            if is_there
        }

    @property
    def schema(self) -> pa.Schema:
        """Of the parquet files with the rows; the metadata tells the `datasets` library which columns are pictures."""
        fields = [pa.field(name, _arrow_type(feature)) for name, feature in self.features.items()]
        told = {name: _datasets_type(feature) for name, feature in self.features.items()}
        return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": told}})})

    def columns(self, episode: Episode, episode_index: int, first_index: int) -> dict[str, np.ndarray]:
        """The columns of numbers, each (T,) or (T, n); ``first_index`` is the episode's first row in the dataset."""
        rows = len(episode)
        mask = episode.camera_mask
        every = {
            "observation.state": np.asarray(episode.vector, np.float32),
            "action": np.asarray(episode.actions, np.float32),
            "next.reward": np.asarray(episode.rewards, np.float32),
            "next.done": np.asarray(episode.dones, bool),
            "next.terminal": np.asarray(episode.terminals, bool),
            "next.reward_terms": episode.reward_terms,
            "expert_action": np.asarray(episode.expert_actions, np.float32),
            "camera_mask": np.ones((rows, len(self.cameras)), bool) if mask is None else np.asarray(mask, bool),
            "stamp_ns": episode.stamps_ns,
            # LeRobot needs rows at exactly one rate; the real times are in stamp_ns.
            "timestamp": (np.arange(rows) / self.rate_hz).astype(np.float32),
            "frame_index": np.arange(rows),
            "episode_index": np.full(rows, episode_index),
            "index": np.arange(first_index, first_index + rows),
            "task_index": np.zeros(rows, np.int64),
        }
        return {name: every[name] for name in self.features if not name.startswith(PICTURES)}

    def pictures(self, episode: Episode, camera: str, rows: slice) -> list[dict]:
        k = self.cameras.index(camera.removeprefix(PICTURES))
        pixels = episode.observations[rows, 3 * k : 3 * k + 3]
        return [{"bytes": _png(picture), "path": None} for picture in pixels]

    def table(self, columns: dict[str, np.ndarray], episode: Episode, rows: slice) -> pa.Table:
        arrays = []
        for field in self.schema:
            if field.name.startswith(PICTURES):
                arrays.append(pa.array(self.pictures(episode, field.name, rows), field.type))
            else:
                arrays.append(_arrow(columns[field.name][rows], field.type))
        return pa.Table.from_arrays(arrays, schema=self.schema)


class _Common(NamedTuple):
    """Properties shared by the episodes of a dataset."""

    cameras: tuple[str, ...]
    picture_size: tuple[int, int]
    vector_inputs: tuple[str, ...]
    reward_terms: tuple[str, ...]
    rate: float | None


def _common(episode: Episode, file: Path) -> _Common:
    count, height, width = episode.observations.shape[1] // 3, *episode.observations.shape[2:]
    meta = episode.meta
    cameras = _names(meta.get("cameras"), count, "camera")
    vector = _names(meta.get("vector"), episode.vector.shape[1], "value")
    terms = ()
    if episode.reward_terms is not None:
        terms = _names(meta.get("reward_terms"), episode.reward_terms.shape[1], "term")
    rate = rate_of(meta)
    if rate is None and meta.get("rate_hz") is not None:
        raise ConversionError(f"episode {file} has a rate_hz of {meta['rate_hz']!r}, expected rows per second")
    return _Common(cameras, (height, width), vector, terms, rate)


def _names(told: object, count: int, otherwise: str) -> tuple[str, ...]:
    """Names from the meta, or ``otherwise`` with a number. LeRobot allows no '/' in names."""
    names = []
    if isinstance(told, list) and len(told) == count:
        told = [str(item.get("name", "") if isinstance(item, dict) else item) for item in told]
        names = [name.replace("/", "_").encode("utf-8", "replace").decode("utf-8") for name in told]
    if not all(names) or len(set(names)) != count:
        names = [f"{otherwise}_{k}" for k in range(count)]
    return tuple(names)


def _arrow_type(feature: dict) -> pa.DataType:
    if feature["dtype"] == "image":
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    number = pa.bool_() if feature["dtype"] == "bool" else getattr(pa, feature["dtype"])()
    length = feature["shape"][0]
    return number if length == 1 else pa.list_(number, length)


def _datasets_type(feature: dict) -> dict:
    if feature["dtype"] == "image":
        return {"_type": "Image"}
    number = {"dtype": feature["dtype"], "_type": "Value"}
    length = feature["shape"][0]
    return number if length == 1 else {"feature": number, "length": length, "_type": "Sequence"}


def _arrow(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values.reshape(-1), kind)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), kind.value_type), kind.list_size)


def _png(picture: np.ndarray) -> bytes:
    # OpenCV expects BGR.
    whole, data = cv2.imencode(".png", np.ascontiguousarray(picture[::-1].transpose(1, 2, 0)))
    if not whole:
        raise ConversionError(f"a picture of {picture.shape[2]}x{picture.shape[1]} pixels does not fit in a PNG file")
    return data.tobytes()

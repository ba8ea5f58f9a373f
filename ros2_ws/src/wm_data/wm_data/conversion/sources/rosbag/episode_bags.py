"""Bags written by `to_bag`: the episode is restored unchanged. Their contents: wm_data/to_bag/writing.py.

Such a bag can also be read as any other, with the same rows, but without the episode's meta.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from wm_bundle.files import open_regular

from wm_data.bags.bag import Bag, open_bag
from wm_data.bags.episode_topics import META_FORMAT, META_TOPIC, META_VERSION, TERMS_TOPIC, VECTOR_TOPIC
from wm_data.bags.layout import METADATA
from wm_data.bags.mcap_file import read_summary
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef
from wm_data.conversion.fitting import fitted
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag.clock import header_ns
from wm_data.conversion.sources.rosbag.finding import find_drives as find_bags
from wm_data.episodes import Episode
from wm_data.errors import ConversionError

_UNKNOWN = np.full(3, np.nan, np.float32)


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """All bags. Those written by `to_bag` are marked as complete episodes, unless other rows or topics are
    requested."""
    found = find_bags(options)
    if options.rate is not None or options.topics or options.recover or options.actions not in ("auto", "applied"):
        return found
    return [replace(ref, locator={**ref.locator, "whole_episode": True}) if _is_episode(ref) else ref for ref in found]


def episodes(ref: DriveRef, options: ConvertOptions) -> Iterator[Episode]:
    """The one episode of a bag that is marked so. Raises ConversionError if it is no longer complete."""
    episode = stored_episode(ref)
    size = (options.image_size, options.image_size)
    as_it_is = not options.cameras and options.crop is None and episode.observations.shape[2:] == size
    yield episode if as_it_is else fitted(episode, Path(ref.locator["paths"][0]), options)


def stored_episode(ref: DriveRef) -> Episode:
    """The episode of such a bag as given to `to_bag`. Raises ConversionError if it is no longer complete."""
    with open_bag([Path(path) for path in ref.locator["paths"]], DriveReport(ref.name), recover=False) as bag:
        try:
            return _Content(bag).episode()
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            if isinstance(error, ConversionError):
                raise
            raise ConversionError(
                f"{bag.place} is not a complete bag of to_bag ({type(error).__name__}: {error}): write it again"
            ) from None


def _is_episode(ref: DriveRef) -> bool:
    """Whether the bag has the topic of the meta. Unreadable ones are left to the general bag reader."""
    path = Path(ref.locator["paths"][0])
    try:
        if path.is_dir():
            with open_regular(path / METADATA, encoding="utf-8") as stream:
                return META_TOPIC in stream.read()
        if path.suffix != ".mcap":
            return False
        summary = read_summary(path)
        return summary is not None and any(channel.topic == META_TOPIC for channel in summary.channels.values())
    except Exception:  # the mcap library raises all kinds of exceptions for damaged files
        return False


class _Content:
    """A bag's messages by topic and stamp, and the episode they make."""

    def __init__(self, bag: Bag):
        self._bag = bag
        self._told = self._meta_message()
        self._cameras: list[str] = list(self._told["cameras"])
        self._kept: dict[str, dict[int, Any]] = {topic: {} for topic in self._topics().values()}
        self._kept |= {topic: {} for topic in self._cameras}
        for recorded in bag.messages(set(self._kept)):
            message = bag.deserialize(recorded)
            if message is None:
                raise ConversionError(f"{bag.place}: a message of {recorded.topic} cannot be read: write the bag again")
            stamp_ns = header_ns(message) or recorded.log_ns
            content = self._picture(message) if recorded.topic in self._cameras else message
            self._kept[recorded.topic][stamp_ns] = content

    def episode(self) -> Episode:
        """Raises ConversionError where a part is missing; ValueError and the like for an invalid one. Row t has the
        observation of tick t, and the action, reward and end reported by tick t + 1."""
        told, has, rows = self._told, self._told["has"], self._told["rows"]
        statuses, results = self._of("status"), self._of("step")
        stamps = sorted(statuses)
        if len(stamps) != rows + 1 or sorted(results) != stamps:
            raise ConversionError(
                f"{self._bag.place} is not complete: it has {len(stamps)} vehicle statuses and {len(results)} step "
                f"results, expected {rows + 1} of each: write it again, or give --rate to read it as any other bag"
            )
        before, after = stamps[:-1], stamps[1:]
        terminals = np.array([bool(results[stamp].terminated) for stamp in after])
        observations, mask = self._observations(before)
        terms = None
        if has["reward_terms"]:
            terms = np.stack([np.asarray(self._of("terms")[stamp].data, np.float32) for stamp in after])
        dones = terminals | np.array([bool(results[stamp].truncated) for stamp in after])
        return Episode(
            observations=observations,
            actions=np.array([_action(statuses[stamp].control) for stamp in after], np.float32),
            rewards=np.array([results[stamp].reward for stamp in after], np.float32),
            dones=dones,
            terminals=terminals,
            vector=self._vector(before),
            expert_actions=np.array(
                [_action(self._of("expert")[stamp]) if stamp in self._of("expert") else _UNKNOWN for stamp in before],
                np.float32,
            ),
            stamps_ns=np.array(before, np.int64) if has["stamps_ns"] else None,
            camera_mask=mask if has["camera_mask"] else None,
            reward_terms=terms,
            meta=dict(told["meta"]),
        )

    def _meta_message(self) -> dict:
        for recorded in self._bag.messages([META_TOPIC]):
            message = self._bag.deserialize(recorded)
            told = None if message is None else json.loads(message.data)
            if isinstance(told, dict) and told.get("format") == META_FORMAT:
                if told["version"] != META_VERSION:
                    raise ConversionError(
                        f"{self._bag.place} was written by to_bag in version {told['version']}, expected {META_VERSION}"
                    )
                return told
        raise ConversionError(f"{self._bag.place} has no readable message on {META_TOPIC}: write the bag again")

    def _topics(self) -> dict[str, str]:
        base = f"/carla/{self._told['role_name']}"
        return {
            "status": f"{base}/vehicle_status",
            "step": f"{base}/step_result",
            "expert": f"{base}/expert_control",
            "vector": VECTOR_TOPIC,
            "terms": TERMS_TOPIC,
        }

    def _of(self, kind: str) -> dict[int, Any]:
        return self._kept[self._topics()[kind]]

    def _picture(self, message) -> np.ndarray:
        height, width = self._told["height"], self._told["width"]
        if (message.encoding, message.height, message.width) != ("rgb8", height, width):
            raise ConversionError(
                f"{self._bag.place} has a picture of {message.width}x{message.height} {message.encoding}, "
                f"expected {width}x{height} rgb8"
            )
        return np.array(message.data, np.uint8).reshape(height, width, 3).transpose(2, 0, 1)

    def _observations(self, stamps: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """(T, C, H, W), zeros for pictures not sent, and the mask of sent ones (T, K)."""
        mask = np.array([[stamp in self._kept[topic] for topic in self._cameras] for stamp in stamps])
        if not (mask.all() or self._told["has"]["camera_mask"]):
            raise ConversionError(f"{self._bag.place} is not complete: {int((~mask).sum())} pictures are missing")
        empty = np.zeros((3, self._told["height"], self._told["width"]), np.uint8)
        pictures = [np.concatenate([self._kept[t].get(stamp, empty) for t in self._cameras]) for stamp in stamps]
        return np.stack(pictures), mask

    def _vector(self, stamps: list[int]) -> np.ndarray:
        where = self._told["vector"]
        if where == "none":
            return np.zeros((len(stamps), 0), np.float32)
        if where == "status":
            return np.array([[self._of("status")[stamp].velocity] for stamp in stamps], np.float32)
        return np.stack([np.asarray(self._of("vector")[stamp].data, np.float32) for stamp in stamps])


def _action(control) -> list[float]:
    return [control.steer, control.throttle, control.brake]

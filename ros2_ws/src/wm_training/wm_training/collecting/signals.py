"""The vector inputs of recorded ticks: of messages with a tick's stamp, and of slower and unstamped ones that hold."""

import math
from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rclpy.node import Node
from wm_bundle.free_signals import SignalError, chosen_inputs, installed
from wm_bundle.times import NS_PER_S, ns_of
from wm_bundle.vector_inputs import SPEED, InputTopic, Source, VectorInput, usual_inputs
from wm_data.agreement import names_of
from wm_data.episodes import find_episodes, read_meta

from wm_training.errors import CollectError

if TYPE_CHECKING:
    from wm_training.collecting.collect_options import CollectOptions

_KEPT = 64


class SignalLog:
    """Hears the chosen vector inputs of one vehicle, and tells them for each tick.

    What comes with every tick, with its stamp, belongs to the tick (``tick_topics``). Anything else holds from its own
    stamp on, or from the tick on that it came before, as long as the input says."""

    def __init__(self, options: "CollectOptions", node: Node, prefix: str):
        """Subscribe below ``prefix``. Raises CollectError for a signal that cannot be recorded."""
        try:
            chosen = chosen_inputs(_names(options.signals), options.signals_file, usual_inputs())
            self._entries = {name: installed(entry) for name, entry in ({SPEED.name: SPEED} | chosen).items()}
        except SignalError as error:
            raise CollectError(str(error)) from None
        if derived := [name for name, entry in self._entries.items() if entry.derived]:
            raise CollectError(f"--signals: {derived[0]} is of a route, whose columns --route adds")
        self._gaps = frozenset(_names(options.signal_gaps))
        if odd := sorted(self._gaps - (self._entries.keys() - {SPEED.name})):
            raise CollectError(f"--signal-gaps: expected some of --signals other than speed, found {odd[0]}")
        self._sources = {name: entry.sources[0] for name, entry in self._entries.items()}
        self._held = {name: deque(maxlen=_KEPT) for name in self._entries if not self._is_of_tick(name)}
        self._pending: dict[str, float] = {}  # without a stamp, for the next tick
        self._unheard = dict.fromkeys(self._held.keys() - self._gaps, "")
        for topic in dict.fromkeys(self._sources[name].topic for name in self._held):
            leaf = topic.leaf if topic.leaf.startswith("/") else f"{prefix}/{topic.leaf}"
            heard = node.create_subscription(topic.message_class, leaf, partial(self._hear, topic), 10)
            for name in self._unheard.keys() & {name for name, one in self._sources.items() if one.topic == topic}:
                self._unheard[name] = heard.topic_name
        self.lacking = ""
        """What the last tick lacked, to be appended to what is waited for."""

    @property
    def tick_topics(self) -> list[InputTopic]:
        """Topics whose messages of a tick's stamp make it complete."""
        return [source.topic for name, source in self._sources.items() if name not in self._held]

    @property
    def told(self) -> list[dict]:
        """The columns' entries in an episode's meta."""
        return [{**one.told, "gaps": True} if one.name in self._gaps else one.told for one in self._entries.values()]

    @property
    def unheard(self) -> str:
        """The topics of needed signals of which nothing came yet."""
        return ", ".join(sorted(set(self._unheard.values())))

    def restart(self) -> None:
        """The clock may restart."""
        for held in self._held.values():
            held.clear()

    def at(self, stamp_ns: int, parts: Mapping[str, Any]) -> dict[str, float] | None:
        """The numbers of a tick, ``parts`` by the kind of their topic; None where a needed one is missing."""
        for name, number in self._pending.items():
            self._held[name].append((stamp_ns, number))
        self._pending.clear()
        numbers = {}
        for name, entry in self._entries.items():
            if name in self._held:
                numbers[name] = self._holding(entry, stamp_ns)
            else:
                numbers[name] = _read(entry, self._sources[name], parts[self._sources[name].topic.kind])
        missing = [name for name, number in numbers.items() if not math.isfinite(number) and name not in self._gaps]
        self.lacking = f"; the last tick had no {' and no '.join(missing)}" if missing else ""
        return None if missing else numbers

    def _is_of_tick(self, name: str) -> bool:
        return self._sources[name].topic.stamped and not self._entries[name].definition

    def _hear(self, topic: InputTopic, message: Any) -> None:
        for name in self._held:
            source = self._sources[name]
            if source.topic != topic:
                continue
            number = _read(self._entries[name], source, message)
            if not math.isfinite(number):
                continue
            self._unheard.pop(name, None)
            if topic.stamped:
                self._held[name].append((ns_of(getattr(message, "header", message).stamp), number))
            else:
                self._pending[name] = number

    def _holding(self, entry: VectorInput, stamp_ns: int) -> float:
        hold_ns = int(entry.hold_s * NS_PER_S)
        held = reversed(self._held[entry.name])
        return next((number for at_ns, number in held if 0 <= stamp_ns - at_ns <= hold_ns), math.nan)


def _read(entry: VectorInput, source: Source, message: Any) -> float:
    return float(entry.reading(source.read(message)))


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",") if name.strip())


def checked_meta(folder: Path, meta: dict) -> dict:
    """The meta of new episodes. Raises CollectError where those in the folder have other vector inputs: a model is
    trained with all of them."""
    if any(folder.glob("*.npz")):
        first = find_episodes(folder)[0]
        there, ours = read_meta(first).get("vector"), meta["vector"]
        if isinstance(there, list) and (told := names_of(there, len(there))) != names_of(ours, len(ours)):
            raise CollectError(
                f"{first} has the vector inputs {', '.join(told)}, --signals and --route ask for "
                f"{', '.join(names_of(ours, len(ours)))}: record with the same, or into another folder"
            )
    return meta

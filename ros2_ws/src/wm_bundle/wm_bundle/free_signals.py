"""Signals of the user's own, read from any topic by one line of YAML; and which signals a model or a command takes.

    battery: {unit: V, source: "std_msgs/Float32 /my/sensor data"}
    tyre: {unit: bar, source: "sensor_msgs/FluidPressure tyre fluid_pressure", factor: 1.0e-5, hold_s: 2.0}

``source`` is the message's type, the topic (without a leading / below the vehicle's topics) and the field, as
``twist.linear.x`` or ``axes[2]``. Optional: ``factor``, to the unit; ``hold_s``, how long a sample holds [s].
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from wm_bundle.manifest import BundleManifest, VectorSpec
from wm_bundle.processes.suggestions import did_you_mean
from wm_bundle.vector_inputs import VECTOR_INPUTS, InputTopic, Source, VectorInput, known_input

_KEYS = ("unit", "source", "factor", "hold_s")
_HOLD_S, _LONGEST_HOLD_S = 0.5, 3600.0
_SLIP = 0.88  # names as alike as this are meant to be one: battery and batery, not battery and battery_2
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_TYPE = re.compile(r"([a-z][a-z0-9_]*)/(?:msg/)?([A-Z][A-Za-z0-9]*)", re.ASCII)
_TOPIC = re.compile(r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)
_FIELD = re.compile(r"[a-z]\w*(\[\d+\])?(\.[a-z]\w*(\[\d+\])?)*", re.ASCII)
_STEP = re.compile(r"([a-z]\w*)|\[(\d+)\]", re.ASCII)
_EXAMPLE = 'battery: {unit: V, source: "std_msgs/Float32 /my/sensor data"}'
_NUMBERS = re.compile(r"float|double|boolean|octet|u?int\d+", re.ASCII)


class SignalError(Exception):
    """A signal that cannot be used: what was expected, what was found, and where."""


@dataclass(frozen=True)
class FieldPath:
    """Reads a number out of a message; NaN where a list in it is too short."""

    text: str

    def __call__(self, message: Any) -> float:
        """The number. Raises SignalError where the message has no such field, or it holds no number."""
        value = message
        for name, index in _STEP.findall(self.text):
            try:
                value = getattr(value, name) if name else value[int(index)]
            except IndexError:
                return math.nan
            except (AttributeError, TypeError, KeyError):
                raise SignalError(f"a message of type {_type_of(message)} has no field {self.text}") from None
        if isinstance(value, bytes) and len(value) == 1:  # an octet
            return float(value[0])
        try:
            if not isinstance(value, str | bytes):
                return float(value)
        except (TypeError, ValueError):
            pass
        held = type(value).__name__
        raise SignalError(f"field {self.text} of a {_type_of(message)} holds a {held}, expected a number")


def _type_of(message: Any) -> str:
    return type(message).__name__.replace("__", "/")


def read_signals(path: str) -> dict[str, VectorInput]:
    """The free signals of a YAML file, by name. Raises SignalError."""
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SignalError(f"signals file {path} cannot be read: {error}") from None
    return signals_of_yaml(text, f"signals file {path}")


def signals_of_yaml(text: str, where: str) -> dict[str, VectorInput]:
    """The free signals of a text in YAML; ``where`` it is, for messages. Raises SignalError."""
    try:
        told = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise SignalError(f"{where} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(told, dict) or not told:
        found = "nothing" if told is None else repr(told)[:80]
        raise SignalError(f"{where}: expected signals by name, as {_EXAMPLE}, found {found}")
    return {str(name): _from_yaml(name, entry, where) for name, entry in told.items()}


def _from_yaml(name: object, entry: object, where: str) -> VectorInput:
    where = f"{where}: {name}"
    if not isinstance(name, str) or not isinstance(entry, dict):
        raise SignalError(f"{where}: expected a name and its keys, as {_EXAMPLE}, found {entry!r}")
    if unknown := [key for key in entry if key not in _KEYS]:
        hint = did_you_mean(str(unknown[0]), _KEYS)
        raise SignalError(f"{where}: unknown key {unknown[0]}, expected {', '.join(_KEYS)}{hint}")
    for key in ("unit", "source"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            found = repr(entry[key]) if key in entry else "nothing"
            raise SignalError(f"{where}: expected {key} as text, found {found}; as {_EXAMPLE}")
    numbers = {}
    for key in ("factor", "hold_s"):
        number = _number(entry.get(key, 1.0))
        if number is None:
            raise SignalError(f"{where}: expected {key} as a number, found {entry[key]!r}")
        numbers |= {key: number} if key in entry else {}
    return free_signal(name, entry["unit"].strip(), entry["source"], where, **numbers)


def _number(value: object) -> float | None:
    """YAML takes 1e-5, without a point, for text."""
    try:
        return float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None


def free_signal(
    name: str, unit: str, source: str, where: str, factor: float = 1.0, hold_s: float = _HOLD_S
) -> VectorInput:
    """A signal from its parts; ``where`` they are told, for messages. Raises SignalError."""
    if not _NAME.fullmatch(name):
        raise SignalError(f"{where}: expected a name of lower-case letters, digits and _, found {name!r}")
    if known_input(name) is not None:
        raise SignalError(f"{where}: the name is taken by the signal {name} [{known_input(name).unit}] of this project")
    words = source.split()
    if len(words) != 3:
        raise SignalError(f"{where}: expected a source of TYPE TOPIC FIELD, as in {_EXAMPLE}, found '{source}'")
    kind, topic, field = words
    if not (typed := _TYPE.fullmatch(kind)):
        raise SignalError(f"{where}: expected a message type as std_msgs/Float32, found '{kind}'")
    if not _TOPIC.fullmatch(topic):
        raise SignalError(f"{where}: expected a topic as /my/sensor, found '{topic}'")
    if not _FIELD.fullmatch(field):
        raise SignalError(f"{where}: expected a field as data, twist.linear.x or axes[2], found '{field}'")
    if not (math.isfinite(factor) and factor):
        raise SignalError(f"{where}: expected a finite factor other than 0, found {factor:g}")
    if not 0.0 < hold_s <= _LONGEST_HOLD_S:
        raise SignalError(f"{where}: expected hold_s above 0 and at most {_LONGEST_HOLD_S:g} s, found {hold_s:g}")
    kind = f"{typed[1]}/msg/{typed[2]}"
    definition = " ".join(
        [kind, topic, field] + [f"factor={factor!r}"] * (factor != 1.0) + [f"hold_s={hold_s!r}"] * (hold_s != _HOLD_S)
    )
    read = Source(InputTopic(topic, topic, kind), FieldPath(field), factor=factor)
    return VectorInput(name, unit, (read,), hold_s=hold_s, hold_periods=None, definition=definition)


def defined(name: str, unit: str, definition: str, where: str) -> VectorInput:
    """The signal of a ``VectorInput.definition``, as bundles and episodes carry it. Raises SignalError."""
    words = definition.split()
    numbers = {}
    for word in words[3:]:
        key, _, value = word.partition("=")
        try:
            numbers[key] = float(value)
        except ValueError:
            key = ""
        if key not in ("factor", "hold_s"):
            raise SignalError(f"{where}: {name} has the source '{definition}', expected TYPE TOPIC FIELD before {word}")
    return free_signal(name, unit, " ".join(words[:3]), where, **numbers)


def chosen_inputs(
    names: Sequence[str], file: str, defaults: Iterable[VectorInput], option: str = "--signals"
) -> dict[str, VectorInput]:
    """The signals that a command takes: those ``names``, or if empty the ``defaults``; and all of the signals file.

    The order is the registry's, then the file's, whatever that of the names. A name may also be a line of a signals
    file. Raises SignalError."""
    free = read_signals(file) if file else {}
    for line in (one for one in names if ":" in one):
        added = signals_of_yaml(line, option)
        if twice := sorted(added.keys() & free.keys()):
            raise SignalError(f"{option}: the name {twice[0]} is taken by another free signal")
        free |= added
    asked = [one for one in names if ":" not in one and one not in free]
    if unknown := [one for one in asked if known_input(one) is None]:
        known = [*VECTOR_INPUTS, *free]
        hint = did_you_mean(unknown[0], known)
        raise SignalError(f"{option}: unknown signal {unknown[0]}, expected some of {', '.join(known)}{hint}")
    wanted = {one: known_input(one) for one in asked} or {entry.name: entry for entry in defaults}
    ordered = [name for name in VECTOR_INPUTS if name in wanted]
    return {name: wanted[name] for name in dict.fromkeys((*ordered, *sorted(wanted)))} | free


def as_line(entry: VectorInput | VectorSpec, definition: str) -> str:
    """What ``chosen_inputs`` makes the signal of again."""
    if not definition:
        return entry.name
    source, told = definition.split()[:3], (word.split("=") for word in definition.split()[3:])
    more = "".join(f", {key}: {float(value)!r}" for key, value in told)
    unit = entry.unit.replace("\\", r"\\").replace('"', r"\"")
    return f'{entry.name}: {{unit: "{unit}", source: "{" ".join(source)}"{more}}}'


def bundle_inputs(manifest: BundleManifest, free: Mapping[str, VectorInput] | None = None) -> tuple[VectorInput, ...]:
    """The signals of a bundle, in its order: of the registry, of a signals file (``free``), or as the bundle itself
    defines them. Raises SignalError for one that is unknown or in another unit."""
    found, free = [], free or {}
    untold = [spec.name for spec in manifest.vector if spec.name not in free]
    for name in free.keys() - {spec.name for spec in manifest.vector}:  # of another model, if it is no slip
        if slip := difflib.get_close_matches(name, untold, 1, _SLIP):
            told = f"bundle {manifest.model_id} has no signal {name}; did you mean {slip[0]}?"
            raise SignalError(f"the signals file: {told}")
    for spec in manifest.vector:
        where = f"bundle {manifest.model_id}"
        entry = free.get(spec.name) or known_input(spec.name)
        if entry is None and spec.source:
            entry = defined(spec.name, spec.unit, spec.source, where)
        if entry is None:
            known = ", ".join(f"{entry.name} [{entry.unit}]" for entry in VECTOR_INPUTS.values())
            raise SignalError(
                f"{where} needs the vector input {spec.name} [{spec.unit}]; this project provides {known}; tell where "
                f"another comes from in a signals file, as {_EXAMPLE}"
            )
        if entry.unit != spec.unit:
            told = "the signals file" if spec.name in free else "this project"
            raise SignalError(
                f"{where} needs the vector input {spec.name} [{spec.unit}], {told} has {entry.unit}: "
                f"{'correct its unit, with a factor' if spec.name in free else 'train with data in that unit'}"
            )
        found.append(entry)
    return tuple(found)


def installed(entry: VectorInput) -> VectorInput:
    """The free signal with what its message's class tells: whether it has a stamp. Raises SignalError where the package
    is not installed, and where the class lacks the field or it holds no number."""
    if not entry.definition:
        return entry
    (source,) = entry.sources
    kind, path = source.topic.type, source.field.text
    package = kind.partition("/")[0]
    try:
        fields = source.topic.message_class.get_fields_and_field_types()
    except ImportError:
        raise SignalError(
            f"signal {entry.name}: the message package {package} is not installed: install it, or source the workspace "
            f"that has it"
        ) from None
    except AttributeError:
        raise SignalError(f"signal {entry.name}: the message package {package} has no message {kind}") from None
    held = kind
    for name, index in _STEP.findall(path):
        there = _fields_of(held) if name else {}
        inside = re.fullmatch(r"sequence<(.+?)(?:, (\d+))?>|(.+)\[(\d+)\]", held)
        if (name and name not in there) or (index and not inside):
            has = f"; {held} has {', '.join(there)}" if name and there else f"; it is a {held}" if index else ""
            raise SignalError(f"signal {entry.name}: {kind} has no field {path}{has}{did_you_mean(name, there)}")
        if index and (longest := inside[2] or inside[4]) and int(index) >= int(longest):
            raise SignalError(f"signal {entry.name}: {kind} has no field {path}: a list of {longest}")
        held = there[name] if name else inside[1] or inside[3]
    if not _NUMBERS.fullmatch(held):
        raise SignalError(f"signal {entry.name}: field {path} of {kind} is a {held}, expected a number")
    stamped = fields.get("header") == "std_msgs/Header" or fields.get("stamp") == "builtin_interfaces/Time"
    return replace(entry, sources=(replace(source, topic=replace(source.topic, stamped=stamped)),))


def _fields_of(kind: str) -> dict[str, str]:
    """The fields of a ROS message's type and their types; none of a number or a list."""
    typed = re.fullmatch(r"(\w+)/(?:msg/)?(\w+)", kind)
    return InputTopic("", "", f"{typed[1]}/msg/{typed[2]}").message_class.get_fields_and_field_types() if typed else {}


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would silently take the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(None, None, f"the name {key} is taken twice", node.start_mark)
        return super().construct_mapping(node, deep)

"""Parsed JSON as frozen dataclasses: a missing, unknown or wrongly typed key is an error that names it."""

import dataclasses
import math
import types
import typing


def require(holds: bool, what: str, expected: str, found) -> None:
    """Raise ValueError, saying what was expected and found, unless it ``holds``."""
    if not holds:
        raise ValueError(f"{what}: expected {expected}, found {found}")


def read(kind, value, where: str):
    """Build ``kind`` (a type annotation) from parsed JSON; ValueError names the place of a wrong value."""
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if kind is typing.Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if origin is types.UnionType:  # only `X | None` is used
        return None if value is None else read(arguments[0], value, where)
    if origin is tuple:
        require(isinstance(value, list), where, "a list", value)
        many = len(arguments) == 2 and arguments[1] is Ellipsis
        require(many or len(value) == len(arguments), where, f"{len(arguments)} entries", value)
        kinds = [arguments[0]] * len(value) if many else arguments
        return tuple(read(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
    if origin is dict:
        require(isinstance(value, dict), where, "an object", value)
        return {key: read(arguments[1], entry, f"{where}.{key}") for key, entry in value.items()}
    if kind is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        require(number and math.isfinite(value), where, "a finite number", value)
        return float(value)
    require(isinstance(value, kind) and not (kind is int and isinstance(value, bool)), where, kind.__name__, value)
    return value


def _read_dataclass(kind, value, where: str):
    require(isinstance(value, dict), where, "an object", value)
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(value) - set(hints))
    require(not unknown, where, f"only the keys {', '.join(hints)}", f"unknown {', '.join(unknown)}")
    needed = {
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    missing = sorted(needed - set(value))
    require(not missing, where, f"the keys {', '.join(sorted(needed))}", f"missing {', '.join(missing)}")
    return kind(**{key: read(hints[key], entry, f"{where}.{key}") for key, entry in value.items()})

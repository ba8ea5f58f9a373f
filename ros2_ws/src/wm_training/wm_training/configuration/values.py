"""Single values of a configuration: their types, sizes with two names, and misspelt names."""

import dataclasses
import difflib
import sys
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, get_args

from wm_training.errors import ConfigurationError

ONE_SIZE = (("state_dim", "deterministic_dim"), ("latent_dim", "stochastic_dim"))
"""Pairs of fields that are two names for one size."""


class NotSet(int):
    """A default, distinct from the same number set explicitly; a plain int once checked."""


def typed(field: dataclasses.Field, value: Any) -> Any:
    """``value`` as the plain type of ``field``. Raises ConfigurationError when it is of another type."""
    kind = field.type
    if kind is bool:
        fits, expected = isinstance(value, bool), "true or false"
    elif kind is int:
        fits, expected = isinstance(value, Integral) and not isinstance(value, bool), "a whole number"
    elif kind is float:
        fits = isinstance(value, Real) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
        expected = "a finite number"
    elif kind is str:
        fits, expected = isinstance(value, str), "text"
    else:
        kind, choices = str, get_args(kind)
        fits, expected = value in choices, " or ".join(choices)
    if not fits:
        raise ConfigurationError(f"{field.name} is {value!r}, expected {expected}")
    return kind(value)


def joined(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with both names of a size where one was given; two different sizes raise ConfigurationError."""
    result = dict(values)
    for first, second in ONE_SIZE:
        if first in values and second in values and values[first] != values[second]:
            raise ConfigurationError(
                f"{first} is {values[first]!r} and {second} is {values[second]!r}, but they are two names for one "
                f"size: set one of them, or both equally"
            )
        for name, other in ((first, second), (second, first)):
            if name in values:
                result[other] = values[name]
    return result


def nearest(name: Any, known: Iterable[str]) -> str:
    """A hint from a misspelt name to the most similar known one."""
    return f"the nearest known name is {difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.0)[0]}"

"""How a bag is read, for the commands beside `convert` that read one: its options, with its names, types and words."""

import argparse
import ast
import inspect
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from wm_data.conversion.options import OF_BAGS, ConvertOptions


def add_reading_options(parser: argparse.ArgumentParser, names: Sequence[str] = OF_BAGS) -> None:
    """Add options of `convert`. Those that are not given are no attributes of what the parser returns."""
    kinds, words = typing.get_type_hints(ConvertOptions), _meanings()
    defaults = {entry.name: entry.default for entry in fields(ConvertOptions)}
    for name in names:
        flag, kind = f"--{name.replace('_', '-')}", kinds[name]
        told = {"dest": name, "default": argparse.SUPPRESS, "help": words[name].replace("%", "%%")}
        if kind is bool:
            parser.add_argument(flag, action="store_true", **told)
        elif typing.get_origin(kind) is tuple:
            parser.add_argument(flag, nargs="+", action="extend", metavar="KIND=TOPIC", **told)
        elif typing.get_origin(kind) is typing.Literal:
            parser.add_argument(flag, choices=typing.get_args(kind), **told)
        else:
            if defaults[name] is not None:
                told["help"] += f" (default: {defaults[name]:g})"
            parser.add_argument(flag, type=float, metavar="X", **told)


def taken_out(values: dict[str, Any], names: Sequence[str] = OF_BAGS) -> dict[str, Any]:
    """Take the options that were given out of what the parser returned."""
    given = {name: values.pop(name) for name in names if name in values}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def check_reading(bag: Path, reading: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the option, for a value that `convert` refuses too."""
    ConvertOptions("rosbag", str(bag), "", **reading)


@cache
def _meanings() -> dict[str, str]:
    """What the options mean: the texts behind the fields."""
    (definition,) = ast.parse(inspect.getsource(ConvertOptions)).body
    pairs = zip(definition.body, definition.body[1:], strict=False)
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }

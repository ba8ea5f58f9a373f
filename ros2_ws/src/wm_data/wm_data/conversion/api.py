"""``convert_rosbag``, ``convert_kitti``, ...: every source as a function, which writes nothing."""

import functools
import os
from collections.abc import Iterator
from typing import Any

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.running.unit import episodes_of
from wm_data.conversion.sources import SOURCES, source_module
from wm_data.episodes import Episode


def convert(kind: str, source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of a source, in order. ``options``: fields of ConvertOptions, such as rate=10.0. Raises ConversionError
    for a source or a drive that cannot be converted, ValueError for invalid options."""
    options = ConvertOptions(kind, os.fspath(source), "", **options)
    for ref in source_module(kind).find_drives(options):
        yield from episodes_of(ref, options)


def __getattr__(name: str):
    kind = name.removeprefix("convert_")
    if kind == name or kind not in SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = functools.partial(convert, kind)
    function.__doc__ = f"Episodes of {SOURCES[kind]}. {convert.__doc__}"
    return function

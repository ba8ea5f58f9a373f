"""Every source as a function, for those who script: episodes one after the other, nothing is written."""

import os
from collections.abc import Iterator
from typing import Any

from wm_data.conversion.options import ConvertOptions
from wm_data.conversion.unit import episodes_of, source_module
from wm_data.episodes import Episode


def convert_rosbag(source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of a ROS 2 or ROS 1 bag, or a folder of them. ``options``: fields of ConvertOptions, as rate=10.0.

    Raises ConversionError for a source or a drive that cannot be converted, ValueError for options that cannot be.
    """
    return _convert("rosbag", source, options)


def convert_nuscenes(source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of a nuScenes folder; see ``convert_rosbag``."""
    return _convert("nuscenes", source, options)


def convert_kitti(source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of KITTI raw drives; see ``convert_rosbag``."""
    return _convert("kitti", source, options)


def convert_waymo(source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of Waymo Motion scenarios, as seen from above; see ``convert_rosbag``."""
    return _convert("waymo", source, options)


def convert_carla(source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of folders of pictures with a table of controls, and of episode files; see ``convert_rosbag``."""
    return _convert("carla", source, options)


def convert_donkeycar(source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of DonkeyCar tubs; see ``convert_rosbag``."""
    return _convert("donkeycar", source, options)


def convert_udacity(source: str | os.PathLike, **options: Any) -> Iterator[Episode]:
    """Episodes of recordings of Udacity's simulator; see ``convert_rosbag``."""
    return _convert("udacity", source, options)


def _convert(kind: str, source: str | os.PathLike, values: dict[str, Any]) -> Iterator[Episode]:
    options = ConvertOptions(kind, os.fspath(source), "", **values)
    for ref in source_module(kind).find_drives(options):
        yield from episodes_of(ref, options)

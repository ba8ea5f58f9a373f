"""All kinds of CARLA recordings in one source: bags, episode files, and folders of pictures with a table."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import wm_data.conversion.sources.carla.episode_files as episode_files
import wm_data.conversion.sources.carla.finding as finding
import wm_data.conversion.sources.carla.folders as folders
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef
from wm_data.conversion.naming import uniquely_named
from wm_data.conversion.sources import rosbag
from wm_data.errors import ConversionError


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """Bags first, then the rest, each in the order of their paths. Raises ConversionError where there is nothing."""
    bags = _bags(options)
    try:
        others = [] if bags and not Path(options.source).expanduser().is_dir() else finding.find_drives(options)
    except ConversionError:
        if not bags:
            raise
        others = []
    return uniquely_named((*bags, *others))


def open_drive(ref: DriveRef, options: ConvertOptions) -> AbstractContextManager[Drive]:
    return (rosbag if ref.locator.get("bag") else folders).open_drive(ref, options)


def episodes(ref: DriveRef, options: ConvertOptions) -> Iterator:
    """Existing episodes: an episode file, or a bag written by `to_bag`."""
    return (rosbag if ref.locator.get("bag") else episode_files).episodes(ref, options)


def _bags(options: ConvertOptions) -> list[DriveRef]:
    """The bags of the source, marked as such; none if it is something else, which ``finding`` handles."""
    try:
        found = rosbag.find_drives(options)
    except (ConversionError, OSError):
        return []
    return [replace(ref, locator={**ref.locator, "bag": True}) for ref in found]

"""The sources of `convert`: each has a folder, and a line here.

The folder's package has ``find_drives(options) -> list[DriveRef]`` and ``open_drive(ref, options)``, a context manager
that yields a ``Drive`` (see drive.py). One whose locators have a true "whole_episode" also has ``episodes(ref,
options)``, which yields the ``Episode`` of such a drive as stored.
"""

import importlib
from types import ModuleType

SOURCES = {
    "rosbag": "ROS 2 and ROS 1 bags",
    "nuscenes": "nuScenes",
    "kitti": "KITTI raw drives",
    "waymo": "Waymo Motion scenarios, as seen from above",
    "carla": "folders of pictures with a table of controls, episode files and bags",
    "donkeycar": "DonkeyCar tubs",
    "udacity": "recordings of Udacity's simulator",
}


def source_module(kind: str) -> ModuleType:
    """The package for a kind of source."""
    return importlib.import_module(f"{__name__}.{kind}")

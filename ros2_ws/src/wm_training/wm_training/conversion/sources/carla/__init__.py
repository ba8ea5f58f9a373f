"""Recordings of CARLA: episode files, and folders of pictures with a table of controls."""

from wm_training.conversion.sources.carla.finding import find_drives
from wm_training.conversion.sources.carla.folders import open_drive
from wm_training.conversion.sources.carla.whole import episodes

__all__ = ["episodes", "find_drives", "open_drive"]

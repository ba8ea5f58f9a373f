"""Recordings of CARLA: bags, episode files, and folders of pictures with a table of controls."""

from wm_data.conversion.sources.carla.reader import episodes, find_drives, open_drive

__all__ = ["episodes", "find_drives", "open_drive"]

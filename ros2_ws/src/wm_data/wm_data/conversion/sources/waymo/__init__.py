"""Waymo Open Motion Dataset: scenarios as a bird's-eye view, without TensorFlow."""

from wm_data.conversion.sources.waymo.reader import find_drives, open_drive

__all__ = ["find_drives", "open_drive"]

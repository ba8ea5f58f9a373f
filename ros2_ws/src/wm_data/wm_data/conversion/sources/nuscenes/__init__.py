"""nuScenes: its v1.0 tables, cameras and CAN bus expansion, read without its devkit."""

from wm_data.conversion.sources.nuscenes.reader import find_drives, open_drive

__all__ = ["find_drives", "open_drive"]

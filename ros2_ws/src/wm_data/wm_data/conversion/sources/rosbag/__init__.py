"""ROS bags: rosbag2 in sqlite3 and mcap, split and compressed ones, bare .mcap and .db3 files, and ROS 1 .bag files."""

from wm_data.conversion.sources.rosbag.episode_bags import episodes, find_drives
from wm_data.conversion.sources.rosbag.reader import open_drive

__all__ = ["episodes", "find_drives", "open_drive"]

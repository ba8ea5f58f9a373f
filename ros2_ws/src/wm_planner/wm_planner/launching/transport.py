"""How processes that publish pictures send them: with shared memory that is large enough.

Fast DDS's default segment of 0.5 MB is smaller than one picture of CARLA. The segment is the sender's and is allocated
at once, so only processes that publish pictures get a large one.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from wm_bundle.processes.ros_distribution import dds_profiles_variable

PROFILE = "config/fastdds_pictures.xml"  # in the package's share
SEGMENT_BYTES = 32 * 1024 * 1024  # as in the profile
_NEEDED_BYTES = SEGMENT_BYTES + 4 * 1024 * 1024
_SHARED_MEMORY = Path("/dev/shm")


def picture_transport(environment: Mapping[str, str] = os.environ, folder: Path = _SHARED_MEMORY) -> dict[str, str]:
    """The variable for a process that publishes pictures; none where the user chose a transport or another middleware,
    or where shared memory has no room, which it says on standard error."""
    choices = ("_DEFAULT_PROFILES_FILE", "FASTDDS_BUILTIN_TRANSPORTS")
    chosen = any(name.endswith(choices) and value for name, value in environment.items())
    if chosen or not (environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp").startswith("rmw_fastrtps"):
        return {}
    free = shutil.disk_usage(folder).free if folder.is_dir() else 0
    if free < _NEEDED_BYTES:
        print(
            f"{folder} has {free / 1e6:.0f} MB left, pictures need {_NEEDED_BYTES / 1e6:.0f} MB: large ones may be "
            "lost; start a container with --ipc=host or --shm-size=256m",
            file=sys.stderr,
        )
        return {}
    return {dds_profiles_variable(): str(Path(get_package_share_directory("wm_planner"), PROFILE))}

"""What this process shares with others through Fast DDS."""

from pathlib import Path

_FOLDER = "/dev/shm/"
_PREFIXES = ("fastrtps_", "fastdds_")  # of its files, up to Fast DDS 2 and from 3 on
_QUEUE = "port"  # a queue holds no messages


def largest_segment(maps: Path = Path("/proc/self/maps")) -> int | None:
    """Bytes of the largest of Fast DDS's segments of shared memory that this process uses, its own and those that it
    received from. None without any."""
    try:
        lines = maps.read_text().splitlines()
    except OSError:  # not Linux
        return None
    sizes = []
    for line in lines:
        addresses, path = line.split()[0], line.split()[-1]
        name = path.removeprefix(_FOLDER)
        rest = next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), _QUEUE)
        if name != path and not rest.startswith(_QUEUE):
            begin, end = (int(address, 16) for address in addresses.split("-"))
            sizes.append(end - begin)
    return max(sizes, default=None)

"""What a process shares through Fast DDS, read from its memory map."""

import pytest
from wm_bundle.processes.shared_memory import largest_segment

OTHERS = """\
7f0000000000-7f0000100000 r-xp 00000000 00:1f 12 /usr/lib/libfastrtps_things.so
7f0000200000-7f0000300000 rw-s 00000000 00:1f 13 /dev/shm/lttng-ust-wait-6
7f0000400000-7f0000900000 rw-s 00000000 00:1f 14 /dev/shm/fastrtps_port7411
7f0000a00000-7f0000b00000 rw-p 00000000 00:00 0
"""


@pytest.mark.parametrize("prefix", ["fastrtps_", "fastdds_"])
def test_the_largest_segment_is_found_and_queues_are_none(tmp_path, prefix):
    maps = tmp_path / "maps"
    maps.write_text(
        OTHERS
        + f"7f1000000000-7f1000086000 rw-s 00000000 00:1f 15 /dev/shm/{prefix}3a6b448e3933de46\n"
        + f"7f2000000000-7f2002180000 rw-s 00000000 00:1f 16 /dev/shm/{prefix}c8a7cd84121c0b07\n"
    )
    assert largest_segment(maps) == 0x2180000  # 35.1 MB


def test_without_a_segment_or_a_map_there_is_none(tmp_path):
    (tmp_path / "maps").write_text(OTHERS)
    assert largest_segment(tmp_path / "maps") is None
    assert largest_segment(tmp_path / "none") is None

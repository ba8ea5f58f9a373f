"""Freed memory stays with the process, counted by its page faults."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from wm_bundle.processes.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def pictures():
    blocks = [bytearray(8_294_400) for _ in range(3)]  # 1920 x 1080 bgra8

for _ in range(5):
    pictures()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    pictures()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's functions")
def test_memory_of_pictures_is_not_fetched_again():
    # 10 times 3 pictures of 2,025 pages of 4 KiB
    assert faults("keep") < 1_000 < faults("leave")

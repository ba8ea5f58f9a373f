"""A process that trains: what it should set before torch is loaded, and how it is stopped. Loads nothing itself."""

import ctypes
import os
import platform
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def prepare_process() -> None:
    """Keep freed memory, and let waiting threads soon fall asleep; what the environment already says is kept.

    Tensors of many megabytes are freed and asked for again in every update, and by default the C library gives them
    back to the kernel in between. GNU's OpenMP threads by default burn their core for a while when they wait for each
    other, which makes a machine that others use several times slower; sleeping at once costs an idle one 7 %.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        library.mallopt(_M_ARENA_MAX, 1)  # threads find each other's freed memory


@contextmanager
def asked_to_stop(request: Callable[[], None]) -> Iterator[None]:
    """Within, SIGINT and SIGTERM call ``request`` and do nothing else: the loop ends in its own order."""
    previous = {
        number: signal.signal(number, lambda received, frame: request()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

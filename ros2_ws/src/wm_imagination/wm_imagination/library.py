"""The libraries of rollout.cpp, one for each kind of processor."""

import ctypes
from functools import lru_cache
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from wm_bundle.processes import processor

# Best first, and the flags of /proc/cpuinfo that each needs.
_KINDS = {
    "avx512vnni": {"avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512_vnni"},
    "avxvnni": {"avx2", "fma", "avx_vnni"},
    "avx2": {"avx2", "fma"},
}


class UnsuitedError(ValueError):
    """The processor, or a model, that the roll-out is not made for; says why."""


def kinds() -> list[str]:
    """The kinds of libraries that are built and that this processor runs, best first."""
    flags = processor.flags(processor.cpuinfo())
    return [kind for kind, needed in _KINDS.items() if needed <= flags and _file(kind).is_file()]


@lru_cache
def load(kind: str) -> ctypes.CDLL:
    """The library of a kind. Raises UnsuitedError where it cannot be loaded."""
    try:
        library = ctypes.CDLL(str(_file(kind)))
    except OSError as error:
        raise UnsuitedError(f"its library cannot be loaded ({error})") from error
    library.wm_open.restype = ctypes.c_void_p
    library.wm_close.argtypes = [ctypes.c_void_p]
    library.wm_run.argtypes = [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, *[ctypes.c_void_p] * 5]
    return library


def _file(kind: str) -> Path:
    return Path(get_package_prefix("wm_imagination"), f"lib/wm_imagination/libwm_imagination_{kind}.so")

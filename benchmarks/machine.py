"""The machine: what it is, and how fast its matrix products are, which bounds everything else."""

import os
import platform
import re
import time
from pathlib import Path

import torch

_PRODUCT_SIZE = 2048


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict:
    """Processor, memory [GB], GPU, versions, and the load average of the last minute (others share the machine)."""
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "processor": _processor_name(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": gpu,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load_average": round(os.getloadavg()[0], 2),
    }


def product_speed(dtype: torch.dtype, repetitions: int = 8) -> float:
    """GFLOP/s of products of 2048 x 2048 matrices with torch's present number of threads: the best repetition."""
    size = _PRODUCT_SIZE
    left, right = (torch.randn(size, size).to(dtype) for _ in range(2))
    result = torch.mm(left, right)
    best_s = float("inf")
    for _ in range(repetitions):
        started = time.perf_counter()
        torch.mm(left, right, out=result)
        best_s = min(best_s, time.perf_counter() - started)
    return 2.0 * size**3 / best_s / 1e9


def best_precision() -> str:
    """``bfloat16`` where its products are clearly faster than those of float32, else ``float32``."""
    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    reduced, full = (product_speed(dtype, repetitions=3) for dtype in (torch.bfloat16, torch.float32))
    return "bfloat16" if reduced > 1.2 * full else "float32"


def _processor_name() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()

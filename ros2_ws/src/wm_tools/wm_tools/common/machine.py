"""A description of this machine for result files: figures mean little without it."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from wm_bundle.processes import processor, ros_distribution

_BOARD = Path("/proc/device-tree/model")
_DRIVER = Path("/sys/module/nvidia/version")
# What products in eight and sixteen bits are computed with: the kernel's names of it, and the usual ones.
_X86 = {
    "avx2": "AVX2",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "VNNI",
    "avx512_bf16": "bf16",
    "amx_int8": "AMX",
}
_ARM = {"asimd": "NEON", "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16", "sve": "SVE"}


def machine_facts() -> dict[str, str | int]:
    """``cpu`` (its model), ``kind`` (its architecture and instruction sets), ``cores`` (available to this process),
    ``system`` and ``python``."""
    return {
        "cpu": _cpu_model(),
        "kind": processor_kind(processor.cpuinfo(), platform.machine()),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def device_facts() -> dict[str, str | float]:
    """``board`` (its maker's name of it, empty where it has none), ``memory_gb``, ``driver`` of NVIDIA's GPU, ``os``,
    and the ``ros`` in use."""
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    return {
        "board": _text(_BOARD).strip("\0\n "),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "driver": _text(_DRIVER).strip(),
        "os": system,
        "ros": _ros(),
    }


def _ros() -> str:
    try:
        return f"wheels, rclpy {version('ros-rclpy')}"
    except PackageNotFoundError:
        return ros_distribution.name()


def processor_kind(cpuinfo: str, architecture: str) -> str:
    """The architecture and the instruction sets that products are computed with, from the text of /proc/cpuinfo."""
    present = processor.flags(cpuinfo)
    names = _ARM if architecture in ("aarch64", "arm64") else _X86
    known = [name for flag, name in names.items() if flag in present]
    return " ".join([architecture, *known])


def _cpu_model() -> str:
    found = _value("model name", processor.cpuinfo())
    if not found:  # as on arm64, where only the numbers of maker and part are there, which lscpu knows
        try:
            variables = {**os.environ, "LC_ALL": "C"}
            done = subprocess.run(["lscpu"], capture_output=True, text=True, timeout=10.0, env=variables)
            found = _value("Model name", done.stdout)
        except (OSError, subprocess.TimeoutExpired):
            pass
    return found or platform.processor() or "unknown"


def _value(wanted: str, text: str) -> str:
    """The value of the first line of a list of names and values; empty where it is missing."""
    pairs = (line.partition(":") for line in text.splitlines())
    return next((value.strip() for name, _, value in pairs if name.strip() == wanted), "")


def _text(file: Path) -> str:
    """The content of a file, empty where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

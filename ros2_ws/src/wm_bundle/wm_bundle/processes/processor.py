"""What the kernel tells of the processor."""

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def cpuinfo() -> str:
    """The text of /proc/cpuinfo, empty where it cannot be read."""
    try:
        return _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def flags(text: str) -> set[str]:
    """The instruction sets in a text of /proc/cpuinfo, by the kernel's names."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {flag for name, _, value in pairs if name.strip() in ("flags", "Features") for flag in value.split()}

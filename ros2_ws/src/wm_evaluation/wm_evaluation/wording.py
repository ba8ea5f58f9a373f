"""Readable numbers for terminals and pages."""


def counted(count: int, what: str) -> str:
    """`1 episode`, `2,000 episodes`: ``what`` is the singular; the plural adds an s."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def spell_duration(seconds: float) -> str:
    """`0.42 s`, `18 s`, `3 min 5 s`, `2 h 10 min`: two significant parts."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60.0)
    return f"{minutes // 60:,} h {minutes % 60} min"


def spell_number(value: float | None, how: str = ".1f", unit: str = "") -> str:
    """`12.3 ms`, or a dash if unknown."""
    return "–" if value is None else f"{value:{how}}{unit}"


def spell_interval(low: float | None, high: float | None, how: str = ".0f") -> str:
    """`low to high`, or a dash if unknown."""
    return "–" if low is None or high is None else f"{low:{how}} to {high:{how}}"

"""Counts and durations as people write them, for terminals and pages."""


def counted(count: int, what: str) -> str:
    """`1 episode`, `2,000 episodes`: ``what`` is the one, which takes an s for more."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def spell_duration(seconds: float) -> str:
    """`0.42 s`, `18 s`, `3 min 5 s`, `2 h 10 min`: two figures that matter."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60.0)
    return f"{minutes // 60:,} h {minutes % 60} min"

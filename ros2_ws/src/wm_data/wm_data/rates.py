"""Rows per second of episodes, and when two rates count as equal, for training, inspection and export."""

RATE_TOLERANCE = 0.05  # a camera's rate differs a little from drive to drive


def rate_of(meta: dict) -> float | None:
    """Rows per second [Hz] from an episode's meta; None if missing or invalid."""
    rate = meta.get("rate_hz")
    return float(rate) if type(rate) in (int, float) and 0.0 < rate < 1e9 else None


def same_rate(rate_hz: float | None, other_hz: float | None) -> bool:
    """Whether episodes of these rates [Hz] may be used together. An unknown rate only matches an unknown one."""
    if rate_hz is None or other_hz is None:
        return rate_hz is other_hz
    return abs(rate_hz - other_hz) <= RATE_TOLERANCE * max(rate_hz, other_hz)

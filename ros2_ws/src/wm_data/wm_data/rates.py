"""Rows per second of episodes, and when two rates are one: the same for training, inspecting and exporting."""

RATE_TOLERANCE = 0.05  # a camera's rate differs a little from drive to drive


def rate_of(meta: dict) -> float | None:
    """Rows per second [Hz] that an episode's meta tells; None where it tells none, or none that can be."""
    rate = meta.get("rate_hz")
    return float(rate) if type(rate) in (int, float) and 0.0 < rate < 1e9 else None


def same_rate(rate_hz: float | None, other_hz: float | None) -> bool:
    """Whether episodes of these rates [Hz] may be used together. One that is not known is only like another such."""
    if rate_hz is None or other_hz is None:
        return rate_hz is other_hz
    return abs(rate_hz - other_hz) <= RATE_TOLERANCE * max(rate_hz, other_hz)

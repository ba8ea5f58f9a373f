"""Stamps as nanoseconds."""

NS_PER_S = 1_000_000_000


def ns_of(stamp) -> int:
    """Of a builtin_interfaces/Time, whichever library read it."""
    return stamp.sec * NS_PER_S + stamp.nanosec

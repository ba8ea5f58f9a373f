"""Values that JSON can represent."""

import math
from collections.abc import Mapping


def without_nan(value):
    """The same with None for every number that is not finite (JSON has none). Tuples become lists."""
    if isinstance(value, Mapping):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

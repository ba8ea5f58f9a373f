"""Messages whose every number is one that nobody means: not a number, infinite, the least and the greatest there is."""

import math

_FILLS = (math.nan, math.inf, -math.inf, -1.0)
_LIMITS = {f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
_LIMITS |= {f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)}
_LIMITS["octet"] = _LIMITS["byte"] = (0, 255)
_FLOATS = ("float", "double")


def odd_messages(kind: type) -> list:
    """Of a message type: an empty one, and one for each way to fill its numbers."""
    return [kind()] + [_filled(kind(), fill) for fill in _FILLS]


def _filled(message, fill: float):
    for name, kind in message.get_fields_and_field_types().items():
        value = getattr(message, name)
        if hasattr(value, "get_fields_and_field_types"):
            _filled(value, fill)
        elif kind in _FLOATS:
            setattr(message, name, fill)
        elif kind in _LIMITS:
            low, high = _LIMITS[kind]
            setattr(message, name, high if fill == math.inf else low)
        elif kind == "string":
            setattr(message, name, "\n%s\u00e4" * 3)
        elif kind == "boolean":
            setattr(message, name, fill > 0)
    return message

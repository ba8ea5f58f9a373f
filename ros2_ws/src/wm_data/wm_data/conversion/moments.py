"""Exact times from text: a float, or datetime's microseconds, would lose the last digits."""

import re
from datetime import datetime, timezone

from wm_bundle.times import NS_PER_S

_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|([+-])(\d\d):?(\d\d))?", re.ASCII)
_NAME = re.compile(r"(\d{4})_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d\d)_(\d{3})\.[A-Za-z]+$", re.ASCII)


def time_of_text(text: str) -> int | None:
    """Nanoseconds since 1970 of '2011-09-26 13:02:25.964389445', UTC where no zone follows; None for other text."""
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    moment = _utc_ns(match.groups()[:6], match[7] or "0")
    if moment is None or match[9] is None:
        return moment
    ahead_s = 60 * (60 * int(match[10]) + int(match[11]))
    return moment + NS_PER_S * (ahead_s if match[9] == "-" else -ahead_s)


def time_of_name(name: str) -> int | None:
    """The time [ns] in a picture's name, as center_2019_01_21_00_08_01_353.jpg, read as UTC; None without one."""
    match = _NAME.search(name.strip())
    return None if match is None else _utc_ns(match.groups()[:6], match[7])


def _utc_ns(parts: tuple[str, ...], fraction: str) -> int | None:
    """From year, month, day, hour, minute, second and the decimals of the second."""
    if not 1970 <= int(parts[0]) < 2200:
        return None
    try:
        moment = datetime(*map(int, parts), tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(moment.timestamp()) * NS_PER_S + int(fraction.ljust(9, "0"))

"""Names of drives from what a source calls them."""

import re
from collections.abc import Iterable


def safe_name(text: str) -> str:
    """``text`` with only letters, digits, '_', '-' and '.', not beginning with the last two, at most 150 long."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text).lstrip(".-")[:150] or "drive"


def unique_names(texts: Iterable[str]) -> list[str]:
    """A safe name for each text, in order; a name that was taken before gets _2, _3, ... behind it.

    Names that differ only in upper and lower case count as the same, as they do in some file systems.
    """
    taken: set[str] = set()
    names = []
    for text in texts:
        base = name = safe_name(text)
        number = 2
        while name.lower() in taken:
            name = f"{base}_{number}"
            number += 1
        taken.add(name.lower())
        names.append(name)
    return names

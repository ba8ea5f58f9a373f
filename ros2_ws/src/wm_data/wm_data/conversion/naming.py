"""Drive names that are valid file names on any file system, from a source's names."""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from wm_data.conversion.drive import DriveRef

_LONGEST = 200  # bytes of UTF-8; file systems allow 255, and suffixes are added


def safe_name(text: str, longest: int = 150) -> str:
    """``text`` with only letters and digits of any script, '_', '-' and '.', not starting with the last two, at most
    ``longest`` bytes in UTF-8. Letters keep their accents, composed where possible (NFC)."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(character if _is_safe(character) else "_" for character in composed).lstrip(".-")
    return kept.encode()[:longest].decode(errors="ignore") or "drive"


def is_safe_name(name: str) -> bool:
    return name == safe_name(name, _LONGEST)


def same_name(name: str) -> str:
    """The common form of names that some file system treats as the same: upper and lower case, and the composition of
    accents, make no difference there."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def unique_names(texts: Iterable[str]) -> list[str]:
    """A safe name for each text, in order; a repeated one gets _2, _3, ... appended. Names that some file system treats
    as the same count as repeated."""
    taken: set[str] = set()
    names = []
    for text in texts:
        base = name = safe_name(text)
        number = 2
        while same_name(name) in taken:
            name = f"{base}_{number}"
            number += 1
        taken.add(same_name(name))
        names.append(name)
    return names


def uniquely_named(refs: Iterable[DriveRef]) -> list[DriveRef]:
    """The drives, each with the safe name that ``unique_names`` makes of its own."""
    refs = list(refs)
    names = unique_names(ref.name for ref in refs)
    return [replace(ref, name=name) for ref, name in zip(refs, names, strict=True)]


def _is_safe(character: str) -> bool:
    return character in "_-." or unicodedata.category(character)[0] in "LMN"

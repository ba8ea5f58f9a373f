"""Damage to files, as disks, downloads and other programs do it: for readers that must survive it."""

import random
from pathlib import Path

_PIECES = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"{}",
    b"[]",
    b'"',
    b",",
    b"}",
    b"9" * 25,
    b" ",
    b"\n",
    b"../",
    b"\\ud800",
    b"\\u0000",
)


class Mutator:
    """Damages one of some files at a time, in place, and brings it back."""

    def __init__(self, files: list[Path], seed: int):
        self._files = sorted(files)
        self._random = random.Random(seed)
        self._damaged: tuple[Path, bytes] | None = None

    def damage(self) -> Path:
        """Returns the file that is damaged now, or missing."""
        chance = self._random
        file = chance.choice(self._files)
        data = file.read_bytes()
        self._damaged = file, data
        if chance.random() < 0.03:
            file.unlink()
            return file
        for _ in range(chance.choice((1, 1, 1, 2, 5, 20))):
            data = self._mutated(data)
        file.write_bytes(data)
        return file

    def repair(self) -> None:
        file, data = self._damaged
        file.write_bytes(data)

    def _mutated(self, data: bytes) -> bytes:
        chance = self._random
        first = chance.randrange(len(data) + 1)
        end = min(len(data), first + chance.choice((1, 1, 2, 4, 16, 100)))
        kind = chance.randrange(7)
        if kind == 0:  # a bit flips
            flipped = bytes(byte ^ 1 << chance.randrange(8) for byte in data[first : first + 1])
            return data[:first] + flipped + data[first + 1 :]
        if kind == 1:  # cut short
            return data[:first]
        if kind == 2:  # a piece is lost
            return data[:first] + data[end:]
        if kind == 3:  # a piece comes twice
            return data[:end] + data[first:]
        if kind == 4:  # a piece comes from elsewhere
            other = chance.randrange(len(data) + 1)
            return data[:first] + data[other : other + end - first] + data[end:]
        if kind == 5:  # something that means something to a parser
            return data[:first] + chance.choice(_PIECES) + data[end:]
        return data[:first] + chance.randbytes(end - first) + data[end:]  # noise

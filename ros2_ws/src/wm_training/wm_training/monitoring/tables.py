"""CSV tables that grow row by row, survive a kill at any moment, and can be cut back when a run resumes."""

import math
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from wm_bundle.files import write_text

STEP = "step"


class Curve(NamedTuple):
    """The filled cells of one column."""

    steps: np.ndarray
    """(M,) int64, rising: updates done."""
    values: np.ndarray
    """(M,) float64; nan and inf are values too."""

    def between(self, first: float, last: float) -> "Curve":
        """The points with ``first <= step <= last``."""
        chosen = (self.steps >= first) & (self.steps <= last)
        return Curve(self.steps[chosen], self.values[chosen])


NO_CURVE = Curve(np.zeros(0, np.int64), np.zeros(0))


class Table:
    """A CSV file with a column ``step`` that rises from row to row; every other cell is a number or empty.

    A row is appended by a single write, so a kill leaves at most one unfinished last line, which the next opening
    removes. A column that first appears in a later row rewrites the file with the longer header.
    """

    def __init__(self, path: Path, last_step: float = math.inf):
        """Open ``path`` and drop its rows with step > ``last_step``; create a missing file. Raises OSError."""
        self.path = Path(path)
        header, rows, self.damaged_line = _read(self.path)
        kept = [row for row in rows if int(row[STEP]) <= last_step]
        # Columns that only the dropped rows had are dropped too: as if those rows had never been written.
        self.columns = [name for name in header if any(row[name] for row in kept)]
        self._points: dict[str, tuple[array, array]] = {}
        for row in kept:
            self._remember(row)
        if self.path.exists():
            self._write(kept)

    @property
    def last_step(self) -> int:
        """Step of the last row, 0 without rows."""
        steps = self._points.get(STEP)
        return steps[0][-1] if steps else 0

    def curves(self) -> dict[str, Curve]:
        """Every column except ``step``, by name."""
        return {
            name: Curve(np.array(steps, dtype=np.int64), np.array(values, dtype=np.float64))
            for name, (steps, values) in self._points.items()
            if name != STEP
        }

    def append(self, row: Mapping[str, float]) -> None:
        """Add a row; it must have ``step``. Values are kept with nine digits, enough for every float32."""
        cells = {name: f"{value:.9g}" if isinstance(value, float) else str(value) for name, value in row.items()}
        new = [name for name in cells if name not in self.columns]
        if new:
            _, rows, _ = _read(self.path)
            self.columns += new
            self._write(rows)
        with open(self.path, "ab", buffering=0) as stream:
            stream.write(self._line(cells))
        # The written values, not the given ones: a resumed run reads the same numbers that this one continues with.
        self._remember(cells)

    def _remember(self, cells: Mapping[str, str]) -> None:
        for name, cell in cells.items():
            if cell:
                steps, values = self._points.setdefault(name, (array("q"), array("d")))
                steps.append(int(cells[STEP]))
                values.append(float(cell))

    def _write(self, rows: list[dict[str, str]]) -> None:
        if not self.columns:
            self.path.unlink(missing_ok=True)
            return
        body = b"".join(self._line(row) for row in rows)
        write_text(self.path, ",".join(self.columns) + "\n" + body.decode())

    def _line(self, cells: Mapping[str, str]) -> bytes:
        return (",".join(cells.get(name, "") for name in self.columns) + "\n").encode()


def read_curves(path: Path) -> dict[str, Curve]:
    """The columns of a table, without touching the file; none for one that is missing or empty. Raises OSError."""
    header, rows, _ = _read(Path(path))
    curves = {}
    for name in header:
        points = [(int(row[STEP]), float(row[name])) for row in rows if row[name]]
        steps, values = zip(*points, strict=True) if points else ((), ())
        curves[name] = Curve(np.array(steps, dtype=np.int64), np.array(values, dtype=np.float64))
    return {name: curve for name, curve in curves.items() if name != STEP}


def _read(path: Path) -> tuple[list[str], list[dict[str, str]], int | None]:
    """Header, rows up to the first damaged one, and the damaged line's number; an unfinished last line is not
    damage."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], [], None
    lines = content[: content.rfind(b"\n") + 1].decode("utf-8", "replace").splitlines()
    if not lines:
        return [], [], None
    header = lines[0].split(",")
    if STEP not in header:
        return [], [], 1
    rows: list[dict[str, str]] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split(",")
        row = dict(zip(header, cells, strict=False))
        if len(cells) != len(header) or not _is_sound(row, int(rows[-1][STEP]) if rows else -1):
            return header, rows, number
        rows.append(row)
    return header, rows, None


def _is_sound(row: dict[str, str], previous_step: int) -> bool:
    try:
        for cell in row.values():
            float(cell or "0")
        return int(row[STEP]) > previous_step
    except ValueError:
        return False

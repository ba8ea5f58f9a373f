"""Folders of pictures with a table of controls as drives; docs/conversion_datasets.md describes the layout."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wm_data.conversion.drive import Drive, DriveRef
from wm_data.conversion.options import ConvertOptions
from wm_data.conversion.tables.drive import drive_of
from wm_data.conversion.tables.reading import Table
from wm_data.errors import ConversionError

FRAME_PERIOD_NS = 50_000_000  # of frames without a time: fixed_delta_seconds of the bridge
# Layouts of others that number what they saved and tell no time: beginning and ending of the files in the table's
# folder, the time between two, and who saves so.
_LAYOUTS = (("anno", ".json.gz", 100_000_000, "Bench2Drive"), ("measurements", ".json.gz", 250_000_000, "carla_garage"))


@contextmanager
def open_drive(ref: DriveRef, options: ConvertOptions) -> Iterator[Drive]:
    """Read a table's numbers; the pictures follow row by row. Raises ConversionError for what cannot be a drive."""
    folder, tables = Path(ref.locator["folder"]), [Path(table) for table in ref.locator["tables"]]
    if len(tables) != 1:
        raise ConversionError(
            f"{folder} has {len(tables)} tables that may hold the controls "
            f"({', '.join(table.name for table in tables)}): name the right one controls{tables[0].suffix} and the "
            f"others differently, or give it as the source"
        )
    period_ns, saved_by = _frame_period(tables[0])
    yield drive_of(Table.of(tables[0]), folder, ref.name, options, period_ns, saved_by)


def _frame_period(table: Path) -> tuple[int, str]:
    """Time between two numbered frames [ns] that tell none, and who saves so."""
    for name, ending, period_ns, who in _LAYOUTS:
        if table.name == name and table.is_dir() and any(file.endswith(ending) for file in os.listdir(table)):
            return period_ns, who
    return FRAME_PERIOD_NS, "CARLA's bridge"

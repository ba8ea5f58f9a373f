"""Folders of pictures with a table of controls as drives; docs/conversion_datasets.md describes the layout."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef
from wm_data.conversion.tables.drive import Frames, drive_of
from wm_data.conversion.tables.reading import Table
from wm_data.errors import ConversionError

_BRIDGE = Frames(50_000_000, "CARLA's bridge")  # its fixed_delta_seconds
# Third-party layouts with numbered frames and no times, by the name of the table's folder of .json.gz files.
_LAYOUTS = {"anno": Frames(100_000_000, "Bench2Drive"), "measurements": Frames(250_000_000, "carla_garage")}


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
    yield drive_of(Table.of(tables[0]), folder, ref.name, options, _frames(tables[0]))


def _frames(table: Path) -> Frames:
    packed = table.is_dir() and any(file.endswith(".json.gz") for file in os.listdir(table))
    return _LAYOUTS.get(table.name, _BRIDGE) if packed else _BRIDGE

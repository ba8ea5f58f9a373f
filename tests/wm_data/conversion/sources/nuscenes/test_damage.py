from pathlib import Path

import pytest
from fixtures_nuscenes import SceneSpec, write_dataset
from mutations import Mutator
from nuscenes_conversion import options
from wm_bundle import ImageError
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.sources import nuscenes
from wm_data.conversion.sources.nuscenes import can_bus, index, poses
from wm_data.conversion.sources.nuscenes.tables import Table
from wm_data.errors import ConversionError


def write_small(root: Path) -> list[Path]:
    """A scene with CAN messages and one without; returns the files that are read."""
    write_dataset(root, (SceneSpec(seconds=0.6), SceneSpec("scene-0002", seconds=0.6, can=False)))
    return [*root.glob("v1.0-mini/*.json"), *root.glob("can_bus/*.json"), *root.glob("s*/CAM_FRONT/*.jpg")]


def read_all(root: Path) -> int:
    """Everything a conversion does to a source; the errors that a conversion tells are no errors here. Returns rows."""
    for cache in (index._index_or_error, poses._poses_or_error, can_bus.steering_ratio):
        cache.cache_clear()
    chosen = options(root)
    rows = 0
    try:
        refs = nuscenes.find_drives(chosen)
    except ConversionError:
        return 0
    for ref in refs:
        try:
            with nuscenes.open_drive(ref, chosen) as drive:
                rows += sum(map(len, episodes_of_drive(drive, chosen)))
        except (ConversionError, ImageError):
            pass
    return rows


def test_damaged_files_are_errors_that_are_told(tmp_path):
    mutator = Mutator(write_small(tmp_path), seed=1)
    whole = read_all(tmp_path)
    for _ in range(200):
        mutator.damage()
        read_all(tmp_path)
        mutator.repair()
    assert whole == read_all(tmp_path) == 5 + 4


def test_a_table_nested_a_hundred_thousand_deep_is_refused_and_crashes_nothing(tmp_path):
    (tmp_path / "sample.json").write_bytes(b'[{"token": ' + b'{"a": [' * 50_000 + b"1" + b"]}" * 50_000 + b"}]")
    with pytest.raises(ConversionError, match="nested more than 1000 deep"):
        list(Table(tmp_path, "sample"))

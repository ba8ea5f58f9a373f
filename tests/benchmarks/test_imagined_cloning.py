import json
from pathlib import Path

import pytest
from make_episodes import make_folder

from benchmarks import imagined_cloning
from benchmarks.errors import BenchmarkError
from benchmarks.imagined_cloning import Options


def test_the_table_pairs_both_ways_of_each_seed():
    scores = {
        "2 episodes, seed 0, recorded alone": [100.0, 200.0],
        "2 episodes, seed 0, with imagined": [300.0, 400.0],
        "2 episodes, seed 1, recorded alone": [500.0, 500.0],
        "2 episodes, seed 1, with imagined": [400.0, 500.0],
    }
    row = imagined_cloning.table(scores, (2,), (0, 1)).splitlines()[-1]
    # Means of 150 and 500, and of 350 and 450; they differ by +200 and -50.
    assert row == "| 2 | 325.0 | 400.0 | +75.0 | +200.0, -50.0 |"


def test_more_episodes_of_a_seed_hold_the_fewer_and_none_that_calibrates(tmp_path):
    options = Options(checkpoint=Path("c.pt"), data_path=make_folder(tmp_path / "data", count=20))
    chosen = {
        (count, seed): {
            split: {link.resolve().name for link in (folder / split).iterdir()} for split in ("train", "val")
        }
        for count in (2, 5)
        for seed in (0, 1)
        for folder in [imagined_cloning._chosen_data(options, tmp_path / f"{count}_{seed}", count, seed)]
    }
    assert len(chosen[2, 0]["train"]) == 2 and chosen[2, 0]["train"] < chosen[5, 0]["train"]
    assert chosen[5, 0]["train"] != chosen[5, 1]["train"]
    assert all(found["val"] == chosen[2, 0]["val"] for found in chosen.values())
    assert not any(found["train"] & found["val"] for found in chosen.values())
    with pytest.raises(BenchmarkError, match="expected at least 19"):
        imagined_cloning._chosen_data(options, tmp_path / "many", 19, 0)


def test_results_of_other_settings_are_not_mixed_in(tmp_path):
    options = Options(checkpoint=Path("c.pt"), output=tmp_path)
    file = tmp_path / "results.json"
    begun = imagined_cloning._begun(file, options)
    file.write_text(json.dumps(begun))
    more = Options(checkpoint=Path("c.pt"), output=tmp_path, seeds=(0, 1, 2, 3), threads=2)
    assert imagined_cloning._begun(file, more) == begun
    with pytest.raises(BenchmarkError, match="num_epochs.*20"):
        imagined_cloning._begun(file, Options(checkpoint=Path("c.pt"), output=tmp_path, num_epochs=3))

"""run.json: a run that goes on is compared with what it began with, however its checkpoint is named."""

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from make_episodes import make_episode
from tiny_training import flags, tiny_config
from wm_data.episodes import write_episode
from wm_training.commands import train


@pytest.fixture
def run(tmp_path):
    """A run of one epoch in ``out``; its flags for two."""
    config = tiny_config(tmp_path, num_epochs=1, batch_size=8)
    assert train.main(flags(config)) == 0
    return flags(config.with_changes(num_epochs=2))


def record(folder: Path) -> dict:
    return json.loads((folder / "out" / "run.json").read_text())


WAYS = {
    "auto": lambda folder: [],
    "by its name": lambda folder: ["--resume", str(folder / "out" / "last.pt")],
    "by another name": lambda folder: ["--resume", os.path.relpath(folder / "out" / ".." / "out" / "last.pt")],
    "another of its checkpoints": lambda folder: ["--resume", str(folder / "out" / "best_model.pt")],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_on_other_episodes_is_not_continued_and_its_record_stays(tmp_path, run, capsys, way):
    before = (tmp_path / "out" / "run.json").read_bytes()
    write_episode(tmp_path / "data" / "episode_9.npz", make_episode(40, seed=9, size=32))
    assert train.main([*run, *WAYS[way](tmp_path)]) == 1
    assert "the episodes of the run" in capsys.readouterr().err.splitlines()[-1]
    assert (tmp_path / "out" / "run.json").read_bytes() == before


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_goes_on_adds_to_its_record(tmp_path, run, way):
    file = tmp_path / "out" / "run.json"
    file.write_text(json.dumps(record(tmp_path) | {"devices": ["an abacus"], "precision": {"used": "float32", "n": 1}}))
    assert train.main([*run, *WAYS[way](tmp_path)]) == 0
    found = record(tmp_path)
    assert found["devices"][0] == "an abacus" and len(found["devices"]) == 2
    assert found["precision"] == {"used": "float32", "n": 1} and "began_from" not in found


def test_a_run_whose_validation_would_be_another_is_not_continued(tmp_path, run, capsys):
    assert record(tmp_path)["validates"] == ["episode_3"]
    assert train.main([*run, "--validation-share", "0.5"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "other drives would validate" in error and "episode_1 among them: expected 1, found 2; keep" in error
    assert train.main([*run, "--validation-share", "0.5", "--resume", "none"]) == 0
    assert record(tmp_path)["validates"] == ["episode_1", "episode_3"]


def test_a_run_that_began_elsewhere_tells_so_and_on_what(tmp_path, run, capsys):
    first = record(tmp_path)
    shutil.move(tmp_path / "out", tmp_path / "old")
    write_episode(tmp_path / "data" / "episode_9.npz", make_episode(40, seed=9, size=32))
    assert train.main([*run, "--resume", str(tmp_path / "old" / "last.pt")]) == 0
    assert "was trained on other episodes than these; run.json records both" in capsys.readouterr().err
    found = record(tmp_path)
    assert found["began_from"]["checkpoint"] == "last.pt" and found["began_from"]["data"] == first["data"]
    assert found["data"]["episodes"] == 5
    assert train.main(run) == 0  # and goes on by itself
    assert record(tmp_path)["began_from"] == found["began_from"]


def test_a_run_without_a_record_says_what_cannot_be_checked(tmp_path, run, capsys):
    (tmp_path / "out" / "run.json").unlink()
    assert train.main(run) == 0
    assert "has no run.json: whether its episodes have changed cannot be told" in capsys.readouterr().err


def test_a_run_that_goes_on_with_data_of_another_meaning_says_so(tmp_path, run, capsys):
    for i in range(4):
        episode = make_episode(40, seed=i, size=32)
        odd = replace(episode, meta={**episode.meta, "rate_hz": 5.0})
        write_episode(tmp_path / "other" / f"{i}.npz", odd)
    begun = str(tmp_path / "out" / "last.pt")
    words = ["--resume", begun, "--data-path", str(tmp_path / "other"), "--output-dir", str(tmp_path / "out2")]
    assert train.main([*run, *words, "--dry-run"]) == 0
    assert re.search(r"other/0.npz is at 5 Hz, what checkpoint .*last.pt was trained on is at", capsys.readouterr().err)
    assert train.main([*run, "--resume", begun, "--output-dir", str(tmp_path / "out3"), "--dry-run"]) == 0
    assert "was trained on is at" not in capsys.readouterr().err

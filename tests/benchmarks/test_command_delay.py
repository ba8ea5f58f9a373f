"""The benchmark of late commands, on a tiny bundle."""

import json

import pytest
from tiny_bundle import make_tiny_bundle

from benchmarks import command_delay


def test_every_delay_is_driven_with_and_without_compensation(tmp_path):
    bundle = make_tiny_bundle(tmp_path / "bundle")
    words = ["--bundle", str(bundle), "--delays", "0", "2", "--seeds", "7", "--steps", "16", "--output", str(tmp_path)]
    assert command_delay.main(words) == 0
    rows = json.loads((tmp_path / "command_delay.json").read_text())
    assert [(row["delay_periods"], row["compensated"]) for row in rows] == [(0, False), (2, False), (2, True)]
    assert [row["in_flight"] for row in rows] == [0.0, 0.0, 2.0]  # the delay was found out while driving
    assert all(len(row["scores"]) == 1 for row in rows)


@pytest.mark.parametrize("words, message", [(["--delays", "-1"], "no negative number"), (["--steps", "many"], "many")])
def test_refusals_are_one_line_and_code_2(words, message, capsys):
    with pytest.raises(SystemExit) as stop:
        command_delay.main(words)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_bundle_is_one_line_and_code_1(tmp_path, capsys):
    assert command_delay.main(["--bundle", str(tmp_path / "none"), "--output", str(tmp_path)]) == 1
    assert "no bundle at" in capsys.readouterr().err
    assert not (tmp_path / "command_delay.json").exists()

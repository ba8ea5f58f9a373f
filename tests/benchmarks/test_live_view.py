"""The benchmark of the live view: its arithmetic, and its refusals."""

import numpy as np
import pytest
from tiny_bundle import make_tiny_bundle

from benchmarks import live_view


def test_what_is_added_is_the_difference_of_the_percentiles_with_an_interval_around_it():
    random = np.random.default_rng(1)
    plain = [random.normal(40.0, 1.0, 25) for _ in range(200)]
    added = live_view._added([block + 3.0 for block in plain], plain)
    for percentile in ("p50", "p99"):
        value, low, high = added[percentile]
        assert value == pytest.approx(3.0, abs=0.01) and low < 3.0 < high
    # The median of 5000 values of spread 1 has a standard error of 1.25 / sqrt(5000) = 0.018; of two, 0.025.
    assert added["p50"][2] - added["p50"][1] == pytest.approx(2 * 1.96 * 0.025, rel=0.5)


def test_frames_of_different_drives_never_share_a_block():
    blocks = live_view._blocks([[1.0] * 30, [2.0] * 10])
    assert [len(block) for block in blocks] == [25, 5, 10]
    assert all(len(set(block)) == 1 for block in blocks)


@pytest.mark.parametrize(
    "words, message", [(["--rounds", "0"], "rounds is 0"), (["--seconds", "0.5"], "seconds is 0.5")]
)
def test_refusals_are_one_line_and_code_2(words, message, capsys):
    with pytest.raises(SystemExit) as stop:
        live_view.main(words)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_a_missing_browser_or_bundle_is_one_line_and_code_1(tmp_path, capsys):
    output = ["--output", str(tmp_path)]
    bundle = make_tiny_bundle(tmp_path / "bundle")
    assert live_view.main(["--bundle", str(bundle), "--chromium", "no-such-browser", *output]) == 1
    assert "no browser 'no-such-browser'" in capsys.readouterr().err
    assert live_view.main(["--bundle", str(tmp_path / "none"), "--chromium", "true", *output]) == 1
    assert "no bundle at" in capsys.readouterr().err
    assert not (tmp_path / "live_view.json").exists()

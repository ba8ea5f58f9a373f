"""A machine's row: complete, in the columns of the table in docs/latency.md, and appended where asked."""

import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import make_tiny_bundle
from wm_bundle import load_bundle
from wm_planner.config import PlannerConfig
from wm_tools.verify_bundle.__main__ import main
from wm_tools.verify_bundle.row import HEADS, Paced, cells, markdown, table_head

DOCUMENT = Path(__file__).parents[3] / "docs/latency.md"
MACHINE = {
    **{"board": "A | board", "cpu": "abacus", "kind": "x86_64 AVX2", "cores": 2, "memory_gb": 7.6},
    **{"gpu": "", "driver": "", "onnxruntime": "1.0", "ros": "jazzy", "os": "an OS"},
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("row") / "tiny", control_period_s=0.05)


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["verify_bundle", *map(str, arguments)])
    return main()


def row_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_every_row_of_the_document_has_the_columns_of_the_command():
    table = DOCUMENT.read_text().partition(f"\n{table_head()}\n")[2].partition("\n\n")[0]
    rows = [row_of(line) for line in table.splitlines()]
    assert rows and all(len(row) == len(HEADS) for row in rows)


def test_a_row_says_what_was_measured(bundle):
    latencies, sent = np.array([10.0, 20.0, 30.0, 70.0]), np.array([0.0, 0.05, 0.11, 0.15])
    paced = Paced(latencies, sent, steps=640.0, load=(0.6, 1.0))
    row = cells(paced, load_bundle(bundle).manifest, PlannerConfig(candidates=64), "CPUExecutionProvider", MACHINE)
    assert row["Late"] == "1 of 4" and row["max"] == "70.0" and row["p50"] == "25.0"  # the deadline is 60 ms
    assert row["Jitter"] == "8.2"  # the standard deviation of 50, 60 and 40 ms
    assert row["Steps"] == "640 of 640"  # 64 candidates * 2 iterations * 5 steps
    assert row["Load"] == "0.6 → 1.0, busy" and row["GPU"] == "none" and row["Provider"] == "CPU"
    assert row["Device"] == "A | board, abacus" and markdown(row).count("|") == len(HEADS) + 1


def test_the_command_measures_prints_and_appends_a_row(bundle, tmp_path, monkeypatch, capsys):
    file = tmp_path / "rows.md"
    words = ["--row", "--bundle", bundle, "--provider", "cpu", "--seconds", "1", "--frames", "8", "--output", file]
    for times in (1, 2):
        assert run(monkeypatch, *words) == 0
        assert len(file.read_text().splitlines()) == times
    shown, line = capsys.readouterr().out, file.read_text().splitlines()[-1]
    row = dict(zip(HEADS, row_of(line), strict=True))
    assert table_head() in shown and line in shown and "kind: " in shown
    assert row["Bundle"] == "tiny-test" and row["Late"].endswith(" of 20")  # 1 s in periods of 50 ms
    assert 0.0 < float(row["p50"]) <= float(row["p95"]) <= float(row["p99"]) <= float(row["max"])


def test_a_row_is_not_appended_to_a_folder(bundle, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "--row", "--bundle", bundle, "--output", tmp_path)
    assert ended.value.code == 2 and "expected a file, found the folder" in capsys.readouterr().err

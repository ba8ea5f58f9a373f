import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.floor import Counted

ROOT = Path(__file__).resolve().parents[2]


def test_the_least_time_of_an_operator_is_that_of_its_products_or_of_its_bytes():
    left, right = torch.zeros(8, 16), torch.zeros(16, 4)
    with Counted(flops=1000.0, bandwidth=1e9) as counted:
        (left @ right).t()
    # 2 * 8 * 16 * 4 = 1,024 operations, (8 * 16 + 16 * 4 + 8 * 4) * 4 bytes; the view costs nothing
    assert (counted.flop, counted.bytes, counted.floor_s) == (1024, 896, pytest.approx(1.024))
    with Counted(flops=1e9, bandwidth=100.0) as counted:
        left + 1.0
    assert (counted.flop, counted.floor_s) == (0, pytest.approx(8 * 16 * 4 * 2 / 100.0))


def test_every_part_of_an_update_has_a_row_and_they_add_up():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "benchmarks.floor", "--quick", "--repetitions", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line][2:]
    rows = {row[0]: [float(cell) for cell in row[1:3]] for row in cells}
    assert {part.split(",")[0] for part in rows} == {
        *("encoder", "recurrence", "decoder", "heads", "optimiser", "rest", "the whole update")
    }
    whole = rows.pop("the whole update")
    assert [sum(numbers) for numbers in zip(*rows.values(), strict=True)] == pytest.approx(whole, abs=0.6)
    assert rows["decoder, backward"][0] > 0.0 == rows["optimiser"][0]

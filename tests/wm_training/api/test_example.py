import runpy
from pathlib import Path

import cv2

EXAMPLE = Path(__file__).parents[3] / "docs/api_example.py"


def test_every_cell_of_the_example_runs(checkpoint, tmp_path, monkeypatch, capsys):
    arguments = [str(EXAMPLE), str(checkpoint), str(checkpoint.parent / "data"), str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", arguments)
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "reward sums of 8 futures",
        "imagined return of the actor",
        "imagined return of the policy",
        "imagined return of the plan after 10 updates",
        "25 steps of 16 drives by random actions",
    ]
    assert cv2.imread(str(tmp_path / "out/imagined_trajectory.png")).std() > 1

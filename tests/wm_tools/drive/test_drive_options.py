"""Property: what makes no sense is refused with one line that says what was expected and what was found."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from wm_planner.planning.solvers import SOLVERS
from wm_tools.drive.controllers import Controller
from wm_tools.drive.drive_options import DriveOptions, parse_options


def test_defaults_drive_three_unseen_tracks_with_all_controllers():
    options = parse_options([])
    assert options == DriveOptions()
    assert options.seeds == (2000, 2001, 2002)
    assert options.controllers == ("planner", "actor", "expert", "random")


def test_values_are_taken(tmp_path):
    options = parse_options(
        [
            "--seeds",
            "3",
            "9:10",
            "--controllers",
            "random",
            "--real-time-factor",
            "0",
            "--set",
            "candidates=128",
            "risk=1",
            "--max-steps",
            "5",
            "--output",
            str(tmp_path / "new" / "place"),
        ]
    )
    assert (options.seeds, options.controllers, options.real_time_factor) == ((3, 9, 10), ("random",), 0.0)
    assert (options.parameters, options.max_steps) == ((("candidates", 128), ("risk", 1.0)), 5)


def test_every_solver_is_a_controller():
    words = ["--controllers", *SOLVERS, "--set", "proposal_policy=clone.onnx"]
    assert parse_options(words).controllers == tuple(SOLVERS)


def test_a_policy_file_is_a_controller_that_drives_with_it_alone():
    options = parse_options(["--controllers", "actor", "clone=runs/clone.onnx"])
    assert options.entries == (
        Controller("actor", "actor"),
        Controller("clone", "policy", policy=Path("runs/clone.onnx")),
    )
    parameters = options.entries[1].planner_parameters(SimpleNamespace(path=Path("bundle")), "ego_vehicle", ())
    wanted = {"solver": "policy", "proposal_policy": str(Path.cwd() / "runs" / "clone.onnx")}
    assert wanted.items() <= parameters.items()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "2000", "x7"], "expected a whole number, found 'x7'"),
        (["--seeds", "-1"], "--seeds: expected whole numbers from 0"),
        (["--seeds", "4", "4"], "--seeds: expected every value once, found 4, 4"),
        (["--controllers", "pilot"], "--controllers: expected some of planner, shooting, cem"),
        (["--controllers", "old=some/bundle"], "or NAME=FILE.onnx (benchmark compares bundles), found old=some/bundle"),
        (["--controllers", "policy"], "expected a policy file for policy, found none; give --set proposal_policy="),
        (["--controllers", "a=x.onnx", "a=y.onnx"], "--controllers: expected one or more, each name once, found a, a"),
        (["--set", "solver=cem"], "--set: expected NAME=VALUE with NAME one of "),
        (["--set", "candidates"], "found 'candidates'"),
        (["--set", "candidates=many"], "candidates: expected a value of type int, found 'many'"),
        (["--set", "candidates=0"], "parameter candidates: expected "),
        (["--set", "risk=1", "risk=2"], "--set: expected every parameter once, found risk several times"),
        (["--real-time-factor", "nan"], "--real-time-factor: expected 0 (as fast as possible) to 100, found nan"),
        (["--real-time-factor", "-1"], "found -1.0"),
        (["--max-steps", "0"], "--max-steps: expected 1 or more, found 0"),
        (["--start-timeout", "0"], "--start-timeout: expected above 0 to 3540 s, found 0"),
        (["--start-timeout", "nan"], "--start-timeout: expected above 0 to 3540 s, found nan"),
        (["--world", "moon"], "--world: invalid choice: 'moon'"),
        (["--role-name", "my-car"], "--role-name: expected a ROS name"),
        (["--output", __file__], "expected a folder, found the file"),
        (["--output", __file__ + "/below"], "expected a folder, found the file"),
        (["--controllers", "planer"], "found 'planer'; did you mean planner?"),
        (["--set", "candidate=3"], "the name of a planner parameter, found 'candidate=3'; did you mean candidates?"),
        (["--seeds", "9:3"], "expected FIRST:LAST"),
        (["--sede", "1"], "unknown option --sede; did you mean --seeds?"),
    ],
)
def test_refusals(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parse_options(arguments)
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1

"""Every command of wm_tools refuses in one line what cannot be used, and suggests the nearest option."""

import importlib
import sys

import pytest

COMMANDS = [
    ("drive.__main__", "--controler", "--controllers"),
    ("benchmark.__main__", "--sedes=1", "--seeds"),
    ("evaluate_bag.__main__", "--bundel", "--bundle"),
    ("verify_bundle.__main__", "--provder", "--provider"),
    ("record.__main__", "--outptu", "--output"),
    ("replay.play", "--rat", "--rate"),
    ("replay.monitor_node", "--evalution", "--evaluation"),
    ("loop_picture.__main__", "--otuput", "--output"),
]


@pytest.mark.parametrize(("module", "typed", "meant"), COMMANDS)
def test_a_mistyped_option_of_any_command_gets_the_nearest_one_before_all_else(
    capsys, monkeypatch, module, typed, meant
):
    monkeypatch.setattr(sys, "argv", ["command", typed, "x"])
    with pytest.raises(SystemExit) as ending:
        importlib.import_module(f"wm_tools.{module}").main()
    printed = capsys.readouterr().err
    name = typed.partition("=")[0]
    assert ending.value.code == 2 and printed.endswith(f": unknown option {name}; did you mean {meant}? (see --help)\n")


@pytest.mark.parametrize("module", [module for module, *_ in COMMANDS])
def test_ros_words_that_cannot_be_used_are_refused_in_one_line(capsys, monkeypatch, module):
    of_ros = ["--ros-args", "-p", "nothing"]
    monkeypatch.setattr(sys, "argv", ["command", "x", "--bundle", "b", "--output", "o", *of_ros])
    if module == "replay.play":  # which hands them to rclpy
        monkeypatch.setattr(sys, "argv", ["command", "x", *of_ros])
    with pytest.raises(SystemExit) as ending:
        importlib.import_module(f"wm_tools.{module}").main()
    printed = capsys.readouterr().err
    assert ending.value.code == 2 and printed.count("\n") == 1 and "nothing" in printed

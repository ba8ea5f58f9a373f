"""Every command of wm_tools refuses an option that is none in one line, and suggests the nearest."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "typed", "meant"),
    [
        ("drive.__main__", "--controler", "--controllers"),
        ("benchmark.__main__", "--sedes=1", "--seeds"),
        ("evaluate_bag.__main__", "--bundel", "--bundle"),
        ("verify_bundle.__main__", "--provder", "--provider"),
        ("record.__main__", "--outptu", "--output"),
        ("replay.play", "--rat", "--rate"),
        ("replay.monitor_node", "--evalution", "--evaluation"),
        ("loop_picture.__main__", "--otuput", "--output"),
    ],
)
def test_a_mistyped_option_of_any_command_gets_the_nearest_one_before_all_else(
    capsys, monkeypatch, module, typed, meant
):
    monkeypatch.setattr(sys, "argv", ["command", typed, "x"])
    with pytest.raises(SystemExit) as ending:
        importlib.import_module(f"wm_tools.{module}").main()
    printed = capsys.readouterr().err
    name = typed.partition("=")[0]
    assert ending.value.code == 2 and printed.endswith(f": unknown option {name}; did you mean {meant}? (see --help)\n")

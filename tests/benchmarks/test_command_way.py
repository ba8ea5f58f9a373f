"""The benchmark of a command's way, in one short drive."""

import json

import pytest

from benchmarks import command_way


def test_every_step_is_measured_and_the_steps_make_up_the_whole(tmp_path):
    words = ["--sizes", "120x80", "--slower", "2.0", "--rounds", "1", "--steps", "30", "--output", str(tmp_path)]
    assert command_way.main(words) == 0
    (figures,) = json.loads((tmp_path / "command_way.json").read_text()).values()
    assert set(figures) == set(command_way.STEPS)
    names = list(command_way.STEPS)
    parts, whole = names[: names.index("whole")], command_way.STEPS["whole"]
    (frames,) = json.loads((tmp_path / "command_way_frames.json").read_text()).values()
    for marks in frames:
        assert sum(command_way.STEPS[name](marks) for name in parts) == whole(marks)


@pytest.mark.parametrize("words", [["--sizes", "96"], ["--slower", "0.5"], ["--steps", "12"]])
def test_refusals_are_one_line_and_code_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        command_way.main(words)
    assert stop.value.code == 2
    assert "expected WIDTHxHEIGHT" in capsys.readouterr().err

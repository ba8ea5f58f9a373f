"""What the monitor is told is checked before it listens."""

import json

import pytest
from wm_evaluation.command_line import parse as parse_command
from wm_tools.common.errors import ReplayError
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions
from wm_tools.replay.judge import evaluation_words
from wm_tools.replay.replay_monitor_options import MonitorOptions


def parse(tmp_path, *words: str):
    given = ["drive.mcap", "--bundle", "bundle", "--output", str(tmp_path / "out"), *words]
    return parse_command(MonitorOptions, "replay_monitor", given, refused=ReplayError)


def test_the_planners_parameters_and_the_thresholds_are_read(tmp_path):
    options = parse(
        tmp_path,
        "--role-name",
        "hero",
        "--rate",
        "5",
        "--set",
        "candidates=32",
        "deadline_ms=80",
        "--threshold",
        "dropped<1",
        "latency_ms.p99<=60",
    )
    assert (options.config().candidates, options.config().deadline_ms) == (32, 80.0)
    assert options.config().topic("status_topic", "vehicle_status") == "/carla/hero/vehicle_status"
    assert [str(threshold) for threshold in options.thresholds] == ["dropped<1", "latency_ms.p99<=60"]
    assert (options.rate, options.evaluation) == (5.0, None)


@pytest.mark.parametrize(
    "words, message",
    [
        (["--threshold", "speed<1"], "there is no figure 'speed'; there are dropped, dropped_share"),
        (["--threshold", "dropped"], "expected NAME<VALUE"),
        (["--evaluation", "/nowhere"], "--evaluation: expected a folder with the result.jsonl"),
        (["--set", "candidates=2"], "--set: the planner refuses: parameter candidates: expected 8 to 4096"),
        (["--set", "speed=2"], "the name of a planner parameter, found 'speed=2'; did you mean seed?"),
    ],
)
def test_a_wrong_option_gives_one_line_and_exit_code_2(tmp_path, words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(tmp_path, *words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said and said.startswith("replay_monitor: ") and said.count("\n") == 1


def test_an_evaluation_of_another_bag_is_refused(tmp_path, capsys):
    (tmp_path / "result.jsonl").touch()
    (tmp_path / "result.json").write_text(json.dumps({"bag": {"name": "other.mcap"}}))
    with pytest.raises(SystemExit):
        parse(tmp_path, "--evaluation", str(tmp_path))
    assert "is of other.mcap, expected one of drive.mcap" in capsys.readouterr().err
    (tmp_path / "result.json").write_text(json.dumps({"bag": {"name": "drive.mcap"}}))
    assert parse(tmp_path, "--evaluation", str(tmp_path)).evaluation == tmp_path


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "out").touch()
    with pytest.raises(SystemExit):
        parse(tmp_path)
    assert "found the file" in capsys.readouterr().err


def test_a_bundle_that_only_brakes_is_evaluated_to_compare_with_too(tmp_path):
    """Without a threshold of its own, evaluate_bag fails one that brakes in most frames."""
    options = parse(tmp_path, "--set", "candidates=32", "deadline_ms=80")
    told = parse_command(EvaluateOptions, "evaluate_bag", evaluation_words(options, tmp_path / "evaluation"))
    assert told.parameters == (("candidates", 32),)  # the deadline is of time, which stands still there
    assert [(threshold.name, threshold.holds(1.0)) for threshold in told.thresholds] == [("mode.braking_share", True)]

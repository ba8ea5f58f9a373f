"""Commands that read bags have the options of `convert`, by its own definition of them."""

import pytest
from wm_data.conversion.convert_options import BagReading, ConvertOptions
from wm_evaluation.command_line import parse
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions
from wm_tools.replay.play_bag_options import parse_options as parse_play
from wm_tools.replay.replay_monitor_options import MonitorOptions

GIVEN = {
    "topics": ("imu=/imu", "status=/status"),
    "actions": "derived",
    "max_steer_deg": 30.0,
    "wheelbase": 0.3,
    "tolerance_ms": 5.0,
    "target_speed": 3.0,
    "recover": True,
}
WORDS = (
    "--topics imu=/imu --actions derived --max-steer-deg 30 --wheelbase 0.3 --tolerance-ms 5 --target-speed 3 "
    "--recover --topics status=/status"
).split()


def evaluation(*words: str):
    return parse(EvaluateOptions, "evaluate_bag", ["bag", "--bundle", "b", "--output", "out", *words])


def test_an_evaluation_reads_as_convert_is_told_to_and_by_default_as_it_does():
    assert evaluation(*WORDS).reading == BagReading(**GIVEN)
    assert evaluation().reading == BagReading()
    assert ConvertOptions("rosbag", "bag", "", **GIVEN).topics == GIVEN["topics"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--max-steer-deg", "90"], "max_steer_deg is 90, expected below 90"),
        (["--tolerance-ms", "-1"], "tolerance_ms is -1, expected 0 or more"),
        (["--actions", "odd"], "--actions"),
    ],
)
def test_what_convert_refuses_is_refused(words, message, capsys):
    with pytest.raises(SystemExit):
        evaluation(*words)
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_the_help_has_the_words_and_defaults_of_convert(capsys):
    with pytest.raises(SystemExit):
        evaluation("--help")
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Road wheel angle that steer 1 stands for [degrees]" in told and "(default: 70.0)" in told
    assert "Read the rest of a damaged bag" in told


def test_what_was_given_is_known():
    assert BagReading(**GIVEN).given() == GIVEN
    assert BagReading(topics=("a=/b",)).given() == {"topics": ("a=/b",)} and BagReading().given() == {}


def test_those_that_play_a_bag_can_play_what_is_left_of_a_damaged_one(tmp_path):
    assert parse_play(["bag", "--recover"]).recover and not parse_play(["bag"]).recover
    words = ["bag", "--bundle", "b", "--output", str(tmp_path)]
    assert parse(MonitorOptions, "replay_monitor", [*words, "--recover"]).recover
    assert not parse(MonitorOptions, "replay_monitor", words).recover

"""Commands that read bags have the options of `convert`, by its own definition of them."""

import argparse

import pytest
from wm_data.conversion.options import OF_BAGS, ConvertOptions
from wm_tools.common.bag_reading import add_reading_options, taken_out
from wm_tools.evaluate_bag.options import parse_options as parse_evaluation
from wm_tools.replay.monitor_options import parse_options as parse_monitor
from wm_tools.replay.options import parse_options as parse_play

GIVEN = {
    "topics": ("imu=/imu", "status=/status"),
    "actions": "derived",
    "max_steer_deg": 30.0,
    "wheelbase": 0.3,
    "tolerance_ms": 5.0,
    "target_speed": 3.0,
    "recover": True,
}
WORDS = [
    "--topics",
    "imu=/imu",
    "--actions",
    "derived",
    "--max-steer-deg",
    "30",
    "--wheelbase",
    "0.3",
    "--tolerance-ms",
    "5",
    "--target-speed",
    "3",
    "--recover",
    "--topics",
    "status=/status",
]


def evaluation(*words: str):
    return parse_evaluation(["bag", "--bundle", "b", "--output", "out", *words])


def test_an_evaluation_reads_as_convert_is_told_to_and_by_default_as_it_does():
    assert set(GIVEN) == set(OF_BAGS)
    assert evaluation(*WORDS).reading == GIVEN
    assert evaluation().reading == {}
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
    assert message in capsys.readouterr().err


def test_the_help_has_the_words_and_defaults_of_convert(capsys):
    parser = argparse.ArgumentParser(formatter_class=lambda prog: argparse.HelpFormatter(prog, width=1000))
    add_reading_options(parser)
    parser.print_help()
    told = capsys.readouterr().out
    assert "Road wheel angle that steer 1 stands for [degrees]" in told and "(default: 70)" in told
    assert "Read what is left of a damaged bag" in told


def test_only_what_was_given_is_taken_out():
    values = {"topics": ["a=/b"], "other": 1}
    assert taken_out(values) == {"topics": ("a=/b",)} and values == {"other": 1}


def test_those_that_play_a_bag_can_play_what_is_left_of_a_damaged_one(tmp_path):
    assert parse_play(["bag", "--recover"]).recover and not parse_play(["bag"]).recover
    words = ["bag", "--bundle", "b", "--output", str(tmp_path)]
    assert parse_monitor([*words, "--recover"]).recover and not parse_monitor(words).recover

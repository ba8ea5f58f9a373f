"""The benchmark of a picture's way, with few small pictures."""

import json

import pytest

from benchmarks import picture_way


def test_every_variant_and_step_is_measured(tmp_path):
    words = ["--sizes", "96x96", "--pictures", "5", "--rounds", "1", "--output", str(tmp_path)]
    assert picture_way.main(words) == 0
    (figures,) = json.loads((tmp_path / "picture_way.json").read_text()).values()
    assert figures["bytes"] == 96 * 96 * 4
    for variant in picture_way.VARIANTS:
        assert figures[variant]["of"] == 5 and len(figures[variant]["round trip [ms]"]) == 2


@pytest.mark.parametrize("words", [["--sizes", "96"], ["--pictures", "0"]])
def test_refusals_are_one_line_and_code_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        picture_way.main(words)
    assert stop.value.code == 2
    assert "expected WIDTHxHEIGHT" in capsys.readouterr().err

"""Thresholds over figures: how they are written, and what they say."""

import math

import pytest
from wm_tools.common.errors import EvaluationError
from wm_tools.common.thresholds import Threshold, check_names, judge


@pytest.mark.parametrize(
    ("text", "below", "at", "above"),
    [
        ("a.b<2", True, False, False),
        ("a.b <= 2.0", True, True, False),
        ("a.b>2", False, False, True),
        (" a.b>=2e0 ", False, True, True),
    ],
)
def test_each_relation_holds_where_its_sign_says_so(text, below, at, above):
    threshold = Threshold.parse(text)
    assert threshold.name == "a.b" and threshold.limit == 2.0
    assert (threshold.holds(1.5), threshold.holds(2.0), threshold.holds(2.5)) == (below, at, above)


@pytest.mark.parametrize("text", ["", "a.b", "a.b<", "<2", "a.b<x", "a.b=2", "a.b<nan", "a b<2", "a.b<2<3"])
def test_what_is_no_threshold_is_refused_with_what_was_found(text):
    with pytest.raises(ValueError, match="expected NAME<VALUE") as error:
        Threshold.parse(text)
    assert f"'{text}'" in str(error.value)


@pytest.mark.parametrize("text", ["a<1", "a>1", "a<=1", "a>=1"])
def test_a_figure_that_cannot_be_told_fails_every_threshold(text):
    assert not judge([Threshold.parse(text)], {"a": math.nan})[0].holds


def test_an_unknown_figure_is_refused_with_those_that_are_alike():
    with pytest.raises(EvaluationError, match="no figure 'steer.mae'; did you mean action.steer.mae"):
        check_names([Threshold.parse("steer.mae<1")], ["action.steer.mae", "surprise.mean"])

"""Which source of a vector input counts, as that of the speed."""

import math

import pytest
from wm_bundle.vector_inputs import SPEED
from wm_planner.config import PlannerConfig
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.source_choice import SILENT_AFTER_S, SourceChoice


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def speed(clock, lines) -> SourceChoice:
    return SourceChoice(SPEED, SPEED.sources, lines.append, clock)


def sample(speed_mps: float) -> Sample:
    return Sample(80, speed_mps, None)


def test_the_best_source_that_is_there_counts_and_the_next_one_when_it_falls_silent(speed, clock, lines):
    speed.take_unstamped("speedometer", -3.0)
    assert speed.at_image(80) == Sample(80, 3.0, None)
    assert speed.take("odometry", sample(4.0)).value == 4.0 and speed.at_image(80) is None
    assert speed.take("status", sample(5.0)).value == 5.0
    assert speed.take("odometry", sample(4.0)) is None and speed.value == 5.0
    clock.advance(SILENT_AFTER_S + 0.01)
    assert speed.at_image(160) is None  # all of them were silent for too long
    assert speed.take("odometry", sample(4.5)).value == 4.5 and speed.value == 4.5
    assert [line.split()[-1] for line in lines] == ["speedometer", "odometry", "status", "odometry"]


def test_a_speedometers_word_is_of_one_image_only(speed):
    speed.take_unstamped("speedometer", 3.0)
    assert [speed.at_image(stamp) is not None for stamp in (80, 160)] == [True, False]
    speed.take_unstamped("speedometer", 3.0)
    assert speed.at_image(240) is not None


def test_only_the_named_source_is_listened_to(clock):
    speed = SourceChoice(SPEED, PlannerConfig(speed_source="odometry").sources(SPEED), print, clock)
    assert [topic.kind for topic in speed.sources] == ["odometry"]
    assert speed.take("odometry", sample(1.0)) is not None


def test_numbers_that_are_not_finite_are_as_good_as_none(speed):
    for bad in (math.nan, math.inf):
        assert speed.take("status", sample(bad)) is None
        speed.take_unstamped("speedometer", bad)
        assert speed.at_image(80) is None
    assert speed.kind is None and speed.value is None

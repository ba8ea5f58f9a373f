"""The cameras' topics."""

import time

import pytest
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.node.inputs import arrival_s
from wm_planner.pilot.preflight import image_topics

TWO = ["left", "right"]


@pytest.mark.parametrize(
    "values, cameras, topics",
    [
        ({}, TWO, ["/carla/ego_vehicle/left/image", "/carla/ego_vehicle/right/image"]),
        ({"role_name": "hero"}, ["rgb"], ["/carla/hero/rgb/image"]),
        ({"image_topic": "/car/{camera}/raw"}, TWO, ["/car/left/raw", "/car/right/raw"]),
        ({"image_topic": "/front", "camera_tolerance_ms": 500.0}, ["rgb"], ["/front"]),
    ],
)
def test_every_camera_has_its_topic(values, cameras, topics):
    assert image_topics(PlannerConfig(**values), cameras, 0.08) == topics


@pytest.mark.parametrize(
    "values, message",
    [
        ({"image_topic": "/front"}, r"image_topic: expected \{camera\} in it, for the bundle's cameras left, right"),
        ({"camera_tolerance_ms": 40.0}, "camera_tolerance_ms: expected less than half .* 40 ms, found 40"),
    ],
)
def test_several_cameras_that_cannot_be_told_apart_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        image_topics(PlannerConfig(**values), TWO, 0.08)


def test_time_in_the_middlewares_queue_counts_unless_its_clock_makes_no_sense():
    for waited_s, counted_s in ((0.25, 0.25), (-5.0, 0.0), (3600.0, 0.0)):
        info = {"received_timestamp": time.time_ns() - round(1e9 * waited_s)}
        assert time.monotonic() - arrival_s(info) == pytest.approx(counted_s, abs=0.1)

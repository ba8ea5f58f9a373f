"""Routes of bags: recorded ones, those made in hindsight, and what has none."""

import json
import math
import re

import numpy as np
import pytest
from fixtures_rosbag import MS, VEHICLE, write_bag
from rosbag_conversion import START, converted, error_of, ordered, status
from route_recordings import (
    PERIOD_NS,
    SPEED,
    TICKS,
    WAYPOINTS,
    drive_along,
    odometry,
    pictures,
    poses,
    stamp_ns,
    waypoints,
)
from wm_bundle.vector_inputs import VECTOR_INPUTS
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.running.runner import Conversion
from wm_data.errors import ConversionError
from wm_data.routes.following import ROUTE_INPUTS

NAMES = list(ROUTE_INPUTS)


def told(episode, name: str) -> np.ndarray:
    return episode.told(VECTOR_INPUTS[name])


def test_the_default_adds_nothing(tmp_path):
    bag = write_bag(tmp_path / "bag", drive_along(poses(40), waypoints([(0, 0), (500, 0)])))
    (episode,), report = converted(bag)
    assert [entry["name"] for entry in episode.meta["vector"]] == ["speed", "yaw_rate"]
    assert "route" not in episode.meta and WAYPOINTS in "".join(report.notes)  # listed as not used


def test_a_recorded_route_is_what_the_planner_would_see_of_it(tmp_path):
    # The vehicle drives 1.5 m left of a straight route of 400 m along y.
    path = np.column_stack([np.full(TICKS, -1.5), 0.6 * np.arange(TICKS), np.full(TICKS, math.pi / 2)])
    bag = write_bag(tmp_path / "bag", drive_along(path, waypoints([(0, -10), (0, 100), (0, 390)])))
    (episode,), report = converted(bag, route="auto")
    assert [entry["name"] for entry in episode.meta["vector"]] == ["speed", "yaw_rate", *NAMES]
    assert episode.meta["route"] == {"source": "recorded", "path": f"{VEHICLE}/odometry"}
    np.testing.assert_allclose(told(episode, "route_offset"), 1.5, atol=1e-5)
    np.testing.assert_allclose(told(episode, "route_heading"), 0.0, atol=1e-5)
    np.testing.assert_allclose(told(episode, "route_20m_y"), -1.5, atol=1e-4)
    np.testing.assert_allclose(told(episode, "route_20m_x"), 20.0, atol=1e-4)
    assert not report.skipped and not any("NaN" in note for note in report.notes)


def test_signals_may_name_the_columns_of_the_route(tmp_path):
    bag = write_bag(tmp_path / "bag", drive_along(poses(60)))
    asked = {"route": "hindsight", "signals": ("speed", "route_15m_y", "route_offset", "route_15m_x")}
    (episode,), report = converted(bag, **asked)
    assert [entry["name"] for entry in episode.meta["vector"]] == [
        "speed",
        "route_offset",
        "route_15m_x",
        "route_15m_y",
    ]
    # All that is named is needed: of 36 m the last 15 m have no point 15 m ahead, some 25 rows.
    assert not any("gaps" in entry for entry in episode.meta["vector"]) and 30 <= len(episode) <= 36
    assert np.isfinite(episode.vector).all() and report.skipped["row without route_15m_x"] > 20
    (whole,), _ = converted(bag, **asked, signal_gaps=("route_15m_x", "route_15m_y"))
    assert [entry.get("gaps") for entry in whole.meta["vector"]] == [None, None, True, True]
    assert len(whole) == 59 and np.isnan(whole.vector[-1, 2:]).all()


@pytest.mark.parametrize(
    "route, astray, doubted",
    [([(5000, 0), (5200, 0)], 200, True), ([(200, 0), (-5, 0)], 200, True), ([(-5, 0), (130, 0)], 50, False)],
    ids=["elsewhere", "backwards", "left later"],
)
def test_rows_that_are_not_on_the_recorded_route_are_counted(tmp_path, route, astray, doubted):
    path = np.column_stack([0.6 * np.arange(200), np.zeros((200, 2))])
    path[150:, 1] = 12.0
    bag = write_bag(tmp_path / "bag", drive_along(path, waypoints(route)))
    _, report = converted(bag, route="recorded")
    (note,) = (note for note in report.notes if "off the route or face the other way" in note)
    assert note.startswith(f"{astray} of 200 rows") and ("is it the route that was driven?" in note) == doubted


def test_at_the_end_of_a_recorded_route_its_goal_is_repeated(tmp_path):
    path = np.column_stack([0.6 * np.arange(200), np.zeros((200, 2))])
    bag = write_bag(tmp_path / "bag", drive_along(path, waypoints([(-5, 0), (60, 0), (130, 0)])))
    (episode,), _ = converted(bag, route="recorded")
    at = 150  # 90 m driven, 40 m to the goal
    assert told(episode, "route_left")[at] == pytest.approx(40.0, abs=1e-3)
    assert told(episode, "route_80m_x")[at] == pytest.approx(40.0, abs=1e-3)
    assert told(episode, "route_left")[0] == 100.0


def test_a_route_that_changes_on_the_way_is_in_force_from_when_it_was_recorded(tmp_path):
    path = np.column_stack([0.6 * np.arange(200), np.zeros((200, 2))])
    late, cancelled = waypoints([(-5, 2), (400, 2)], stamp_ns(80) + 50 * MS), waypoints([], stamp_ns(150) + 50 * MS)
    first = waypoints([(-5, -1), (200, -1), (400, -1)], stamp_ns(20) + 50 * MS)
    (episode,), report = converted(write_bag(tmp_path / "bag", drive_along(path, first, late, cancelled)), route="auto")
    offset = told(episode, "route_offset")
    assert np.isnan(offset[:21]).all() and np.isnan(offset[151:]).all()
    np.testing.assert_allclose(offset[21:81], 1.0, atol=1e-5)
    np.testing.assert_allclose(offset[81:151], -2.0, atol=1e-5)
    assert any("of 199 rows do not know all of their route (NaN)" in note for note in report.notes)


def test_in_hindsight_the_route_is_the_path_driven_left_positive(tmp_path):
    path = poses()
    (episode,), _ = converted(write_bag(tmp_path / "bag", drive_along(path)), route="hindsight", route_noise=0.0)
    assert episode.meta["route"] == {"source": "hindsight", "path": f"{VEHICLE}/odometry", "noise_m": 0.0}
    ahead = 50  # ticks are 30 m, of which 20 m are reached after 33.3
    for tick in (10, 60, 110, 160):
        x, y, yaw = path[tick]
        there = path[tick : tick + ahead, :2] - (x, y)
        driven = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(there, axis=0).T))])
        dx, dy = (np.interp(20.0, driven, column) for column in there.T)
        expected = dx * math.cos(yaw) + dy * math.sin(yaw), dy * math.cos(yaw) - dx * math.sin(yaw)
        found = told(episode, "route_20m_x")[tick], told(episode, "route_20m_y")[tick]
        np.testing.assert_allclose(found, expected, atol=0.3)
    assert np.abs(told(episode, "route_offset")).max() < 0.15


@pytest.mark.parametrize("source", ["odometry", "speed and yaw rate"])
def test_without_poses_the_path_is_that_of_speed_and_yaw_rate(tmp_path, source):
    path, settings = poses(), dict(route="hindsight", route_noise=0.0)
    recording = drive_along(path)
    (reference,), _ = converted(write_bag(tmp_path / "one", recording), **settings)
    if source != "odometry":

        def as_twist(name, msgtype, log_ns, fields):
            kept = {"header": fields["header"], "twist": fields["twist"]["twist"]}
            return (name, "geometry_msgs/msg/TwistStamped", log_ns, kept)

        recording.messages = [as_twist(*m) if m[0].endswith("/odometry") else m for m in recording.messages]
        settings["topics"] = (f"odometry={VEHICLE}/odometry",)
    (episode,), _ = converted(write_bag(tmp_path / "other", recording), **settings)
    assert episode.meta["route"]["path"] == (f"{VEHICLE}/odometry" if source == "odometry" else source)
    # The recorded yaw rate is that of the interval before: half a period late, as from any differences of poses.
    for name in ("route_10m_y", "route_40m_y", "route_left"):
        np.testing.assert_allclose(told(episode, name), told(reference, name), atol=0.8)


def test_rows_whose_future_was_in_the_next_episode_know_it(tmp_path):
    bag = write_bag(tmp_path / "bag", drive_along(poses(260)))
    episodes, _ = converted(bag, route="hindsight", max_rows=60)
    whole, _ = converted(bag, route="hindsight")
    assert len(episodes) == 5
    assert all(np.isfinite(told(episode, "route_40m_x")).all() for episode in episodes[:2])
    assert np.isnan(told(episodes[-1], "route_40m_x")).any() and np.isnan(told(whole[0], "route_40m_x")[-1])


def test_both_drives_of_a_recording_whose_clock_restarted_have_their_own_routes(tmp_path):
    straight = np.column_stack([0.6 * np.arange(120), np.zeros((120, 2))])
    later = START + 120 * PERIOD_NS
    first = ordered(pictures(120), odometry(straight))
    second = ordered(pictures(120), odometry(poses(120, lambda tick: 0.2) + (500.0, 0.0, 0.0)))
    first.messages += [(n, t, log + later, fields) for n, t, log, fields in second.messages]
    episodes, _ = converted(write_bag(tmp_path / "bag", first), route="hindsight", route_noise=0.0)
    assert [len(episode) for episode in episodes] == [119, 119]
    np.testing.assert_allclose(told(episodes[0], "route_20m_y")[5:70], 0.0, atol=0.05)
    assert (told(episodes[1], "route_20m_y")[5:70] > 5.0).all()  # 20 m on a circle of 30 m


def test_progress_along_the_route_is_the_reward_driving_2(tmp_path):
    path = np.column_stack([0.6 * np.arange(120), np.zeros((120, 2))])
    bag = write_bag(tmp_path / "bag", drive_along(path, waypoints([(-5, 0), (400, 0)])))
    (episode,), _ = converted(bag, route="auto", reward="driving-2", target_speed=8.0)
    assert episode.meta["reward"] == "driving-2" and episode.meta["reward_terms"][0] == "progress"
    np.testing.assert_allclose(episode.reward_terms[5:, 0], SPEED / 8.0, atol=1e-4)
    (usual,), _ = converted(bag, route="auto")
    assert usual.meta["reward"] == "driving-1" and usual.meta["reward_terms"][0] == "efficiency"
    # Driven the other way, or 30 m beside it, nothing is gained.
    for points, progress in (([(400, 0), (-5, 0)], -SPEED / 8.0), ([(-5, 30), (400, 30)], 0.0)):
        bag = write_bag(tmp_path / f"bag_{progress}", drive_along(path, waypoints(points)))
        (episode,), _ = converted(bag, route="recorded", reward="driving-2")
        np.testing.assert_allclose(episode.reward_terms[5:100, 0], progress, atol=1e-4)


@pytest.mark.parametrize(
    "others, of_odometry, message",
    [
        ([], {}, "no route, expected a topic of type nav_msgs/msg/Path"),
        ([waypoints([(0, 0), (9, 0)], frame="odom")], {}, "the route is in the frame 'odom', the odometry in 'map'"),
        ([waypoints([(1, 1)])], {}, "has no route that can be followed"),
        ([waypoints([(0, 0), (math.nan, 0)])], {}, "has no route that can be followed"),
        ([waypoints([(0, 0), (9, 0)])], {"yaw_offset": 1.5}, "the yaws of the poses are not the directions of motion"),
        (
            [waypoints([(0, 0), (9, 0)]), waypoints([(0, 0), (9, 0)], topic="/plan")],
            {},
            "route could be|name one with --topics route=",
        ),
    ],
)
def test_what_is_no_recorded_route_is_said(tmp_path, others, of_odometry, message):
    if len(others) == 2:
        others[0].messages = [("/b", *others[0].messages[0][1:])]
    recording = drive_along(poses(60), *others, **of_odometry)
    assert re.search(message, error_of(tmp_path, recording, route="recorded"))


def test_of_several_routes_the_named_one_is_taken_and_a_named_one_alone_is_not_enough(tmp_path):
    path = np.column_stack([0.6 * np.arange(60), np.zeros((60, 2))])
    several = waypoints([(-5, 2), (400, 2)], topic="/plan"), waypoints([(-5, -1), (400, -1)], topic="/b/plan")
    bag = write_bag(tmp_path / "bag", drive_along(path, *several))
    (episode,), report = converted(bag, route="auto", topics=("route=/plan",))
    np.testing.assert_allclose(told(episode, "route_offset"), -2.0, atol=1e-5)
    assert "not used: /b/plan" in report.notes
    with pytest.raises(ConversionError, match="--topics names route, from which no input is taken: give --route too"):
        converted(bag, topics=("route=/plan",))


def test_a_route_in_another_frame_is_made_in_hindsight_if_that_may_be(tmp_path):
    bag = write_bag(tmp_path / "bag", drive_along(poses(60), waypoints([(0, 0), (9, 0)], frame="odom")))
    (episode,), report = converted(bag, route="auto")
    assert episode.meta["route"]["source"] == "hindsight"
    assert any(note.endswith("the odometry in 'map': the route is made in hindsight") for note in report.notes)


def test_a_camera_alone_has_no_route(tmp_path):
    told = error_of(tmp_path, ordered(pictures(12), status()), route="auto")
    assert "its path cannot be told without yaw rate, so it has no route: leave out --route" in told


def test_a_conversion_of_earlier_is_resumed_without_a_route_only(tmp_path):
    write_bag(tmp_path / "source" / "bag", drive_along(poses(40)))

    def options(**values):
        return ConvertOptions("rosbag", str(tmp_path / "source"), str(tmp_path / "dest"), **values)

    conversion = Conversion(options())
    conversion.run(conversion.begin(), lambda record: None)
    arguments = tmp_path / "dest" / ".conversion" / "arguments.json"
    before = json.loads(arguments.read_text())
    arguments.write_text(json.dumps({k: v for k, v in before.items() if k not in ("route", "route_noise", "reward")}))
    assert Conversion(options(resume=True)).begin() == []
    with pytest.raises(ConversionError, match="route was 'none' and is 'auto'"):
        Conversion(options(resume=True, route="auto")).begin()


@pytest.mark.parametrize(
    "values, message",
    [
        ({"route_noise": -0.1}, "route_noise is -0.1 m, expected 0 to 5"),
        ({"signals": ("speed", "route_left")}, "signals has route_left, which is of a route: give --route too"),
        ({"reward": "driving-2"}, "reward is driving-2, which needs the progress along a route: give --route too"),
    ],
)
def test_options_that_mean_nothing_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ConvertOptions("rosbag", "source", "dest", **values)

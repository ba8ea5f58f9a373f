"""The recorder's loop without ROS: who drives, what ends an episode, what is driven again."""

import json

import numpy as np
import pytest
from fake_simulators import LABEL, PERIOD, PLAN, FakeNode, FakePlanner, collector, recorded, tick
from wm_bundle import from_command, to_command
from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.drivers import BurstNoise, Follower
from wm_training.collecting.recording import EpisodeRecorder, Standstill
from wm_training.errors import CollectError


def test_the_planners_command_is_sent_and_the_experts_stays_the_label(tmp_path):
    (episode,) = recorded(tmp_path, FakeNode(FakePlanner()))
    np.testing.assert_array_equal(episode.actions, np.tile(PLAN, (30, 1)))
    np.testing.assert_array_equal(episode.expert_actions, np.tile(LABEL, (30, 1)))
    assert episode.meta["driver"] == "planner" and "noise" not in episode.meta
    assert episode.meta["planner"] == {"bundle": "known", "parameters": {"trust": 2.0}}


def test_without_an_expert_the_planners_drive_has_no_labels(tmp_path):
    (episode,) = recorded(tmp_path, FakeNode(FakePlanner(), expert=None))
    np.testing.assert_array_equal(episode.actions, np.tile(PLAN, (30, 1)))
    assert np.isnan(episode.expert_actions).all()


def test_bursts_push_the_planners_command_as_they_push_the_experts():
    driver, noise = Follower("planned", BurstNoise(0.08, 0.5, 0.4)), BurstNoise(0.08, 0.5, 0.4)
    driver.begin(9)
    noise.begin(9)
    pushes = [noise.next() for _ in range(300)]
    assert 30 < sum(push is not None for push in pushes) < 270
    for push in pushes:
        expected = PLAN if push is None else to_command(from_command(PLAN) + push)
        np.testing.assert_array_equal(driver.drive(tick(0)).command, expected)


def test_a_planner_is_restarted_for_each_episode_while_the_simulator_stands(tmp_path):
    node = FakeNode(FakePlanner())
    episodes = recorded(tmp_path, node, episodes=3)
    assert node.planner.restarts == 3 and node.seeds == [40, 41, 42]
    assert [episode.meta["seed"] for episode in episodes] == [40, 41, 42]


def test_an_episode_ends_when_the_car_that_the_planner_drives_has_stood_for_long(tmp_path):
    # 2 s of standing are 25 periods of 0.08 s: the tick that shows them is the 26th, and ends the 25th row.
    (standing,) = recorded(tmp_path / "a", FakeNode(FakePlanner(), speed=0.0), standstill=2.0)
    assert len(standing) == 25 and standing.dones[-1] and not standing.terminals.any()
    (endured,) = recorded(tmp_path / "b", FakeNode(FakePlanner(), speed=0.0), standstill=0.0)
    assert len(endured) == 30
    (autopilot,) = recorded(tmp_path / "c", FakeNode(speed=0.0), standstill=2.0, driver="autopilot")
    assert len(autopilot) == 30  # may wait at a red light


def test_standing_counts_only_without_interruption():
    standstill = Standstill(0.4)  # five periods
    speeds = [0.0] * 5 + [1.0] + [0.1] * 6
    assert [standstill.lasts(tick(i, speed=speed)) for i, speed in enumerate(speeds)] == [False] * 11 + [True]


def test_an_episode_that_lost_a_tick_is_driven_again(tmp_path):
    node = FakeNode(FakePlanner())
    node.lost = {12}
    (episode,) = recorded(tmp_path, node)
    assert node.seeds == [40, 40] and len(episode) == 30


def test_several_cameras_are_stacked_and_named_in_the_episode(tmp_path):
    (episode,) = recorded(tmp_path, FakeNode(cameras=("front", "rear")), driver="autopilot")
    assert episode.observations.shape == (30, 6, 4, 4) and episode.camera_mask is None
    assert [camera["name"] for camera in episode.meta["cameras"]] == ["front", "rear"]


def test_an_episode_that_lost_a_camera_s_picture_is_driven_again(tmp_path):
    node = FakeNode(cameras=("front", "rear"))
    node.late = {12}
    (episode,) = recorded(tmp_path, node, driver="autopilot")
    assert node.seeds == [40, 40] and episode.camera_mask is None


def test_a_camera_that_lacks_in_every_attempt_is_masked_in_its_rows(tmp_path):
    node = FakeNode(cameras=("front", "rear"), seen=np.array([True, False]))
    (episode,) = recorded(tmp_path, node, driver="autopilot")
    assert node.seeds == [40, 40, 40]
    np.testing.assert_array_equal(episode.camera_mask, np.tile([True, False], (30, 1)))


def test_cameras_that_could_be_mixed_with_the_next_tick_s_are_refused(tmp_path):
    with pytest.raises(CollectError, match="--camera-tolerance: expected less than half .* 0.04 s, found 0.05"):
        collector(tmp_path, FakeNode(cameras=("front", "rear")), camera_tolerance=0.05).connect()
    collector(tmp_path, FakeNode(), camera_tolerance=0.05).connect()  # one camera has nothing to be mixed with


@pytest.mark.parametrize(
    "cameras, file, names",
    [("", False, ("rgb_front",)), ("a,b", False, ("a", "b")), ("", True, ("front", "rear")), ("rear", True, ("rear",))],
)
def test_the_cameras_are_those_named_or_the_spawn_file_s(tmp_path, cameras, file, names):
    options = CollectOptions(cameras=cameras, objects_definition_file=spawn_file(tmp_path) if file else "")
    assert options.camera_names() == names


@pytest.mark.parametrize(
    "cameras, message",
    [
        ("front,left", "expected some of front, rear, .*spawn.json, found left"),
        ("front,front", "expected different sensor ids"),
        ("front view", "expected different sensor ids"),
    ],
)
def test_cameras_that_cannot_be_recorded_are_refused(tmp_path, cameras, message):
    with pytest.raises(CollectError, match=message):
        CollectOptions(cameras=cameras, objects_definition_file=spawn_file(tmp_path)).camera_names()


def spawn_file(folder) -> str:
    sensors = [{"type": "sensor.camera.rgb", "id": name} for name in ("front", "rear")]
    file = folder / "spawn.json"
    file.write_text(json.dumps({"objects": [{"type": "vehicle.car", "id": "ego_vehicle", "sensors": sensors}]}))
    return str(file)


def test_an_episode_whose_planner_saw_an_image_of_the_one_before_is_driven_again(tmp_path):
    node = FakeNode(FakePlanner(sees_old_image_at={1}))
    (episode,) = recorded(tmp_path, node)
    assert node.seeds == [40, 40] and len(episode) == 30


def test_episodes_that_are_always_too_short_end_the_recording(tmp_path):
    with pytest.raises(CollectError, match="3 times in a row an episode ended after fewer than 10 rows .seed 40"):
        recorded(tmp_path, FakeNode(FakePlanner(), terminated=True))
    assert list(tmp_path.iterdir()) == []


def test_nobody_else_may_command_the_car_that_the_planner_drives(tmp_path):
    with pytest.raises(CollectError, match="wm_command_watchdog commands the car too.*control_topic:=/planner/control"):
        collector(tmp_path, FakeNode(FakePlanner(), rivals=["wm_command_watchdog"])).connect()


def test_a_wait_in_vain_tells_why_the_planner_brakes(tmp_path):
    node = FakeNode(FakePlanner())
    node.planner.reason = "no image for 10.0 s"
    with pytest.raises(CollectError, match="waited 0.2 s for a miracle; the planner says: no image for 10.0 s"):
        collector(tmp_path, node, timeout=0.2).wait_for(lambda: False, "a miracle")


def test_a_cut_episode_could_have_gone_on():
    recorder = EpisodeRecorder(100, PERIOD, {})
    assert recorder.cut() is None
    for i in range(4):
        recorder.add(tick(i))
    episode = recorder.cut()
    assert len(episode) == 3 and episode.dones.tolist() == [False, False, True] and not episode.terminals.any()
    assert recorder.add(tick(4)) is None and recorder.rows == 0


@pytest.mark.parametrize("name", ["seed", "noise_strength", "standstill"])
def test_numbers_below_zero_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is -1, expected 0 or more"):
        CollectOptions(**{name: -1})


@pytest.mark.parametrize(
    ("there", "episodes", "said", "new"),
    [
        (
            0,
            2,
            "holds 0 episodes, and 2 is the total wanted: records 2 new episodes, episode_000000 to episode_000001",
            2,
        ),
        (3, 4, "holds 3 episodes, and 4 is the total wanted: records 1 new episode, episode_000003", 1),
        (3, 2, "holds 3 episodes already, and 2 is the total wanted; --episodes 5 (episodes:=5) records 2 more", 0),
    ],
)
def test_what_is_there_what_is_new_and_what_will_be_done_is_said(tmp_path, there, episodes, said, new):
    for index in range(there):
        (tmp_path / f"episode_{index:06d}.npz").touch()
    (tmp_path / "of_a_bag.npz").touch()  # converted: not one of the recorder's
    collecting = collector(tmp_path, FakeNode(FakePlanner()), episodes=episodes)
    assert collecting.plan().endswith(f"{tmp_path} {said}") and len(collecting.missing()) == new
    if not new:  # and what it advises does what it says
        assert len(collector(tmp_path, FakeNode(FakePlanner()), episodes=5).missing()) == 2

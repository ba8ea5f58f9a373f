"""The recorder's loop without ROS: who drives, what ends an episode, what is driven again."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from wm_bundle import CameraSpec, from_command, to_command
from wm_data.episodes import read_episode
from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.collector import Collector
from wm_training.collecting.drivers import BurstNoise, Follower
from wm_training.collecting.recording import EpisodeRecorder, Standstill, Tick
from wm_training.errors import CollectError

PERIOD = 80_000_000
PLAN = np.array([0.1, 0.4, 0.0], np.float32)
LABEL = np.array([-0.2, 0.0, 0.3], np.float32)


def tick(i: int, **changes) -> Tick:
    values = dict(
        stamp_ns=i * PERIOD,
        image=np.full((3, 4, 4), i % 256, np.uint8),
        vector={"speed": changes.pop("speed", 5.0)},
        control=np.zeros(3, np.float32),
        reward=1.0,
        expert=LABEL,
        planned=PLAN,
    )
    return Tick(**{**values, **changes})


class FakePlanner:
    """A planner that is there at once and answers every tick. ``sees_old_image_at``: restarts before which it is late,
    so that an image of the old episode is the first that it answers."""

    topic = "/planner/control"

    def __init__(self, sees_old_image_at=()):
        self.first_answer_ns, self.restarts, self.reason = 0, 0, ""
        self.sees_old_image_at = sees_old_image_at

    def describe(self, wait_for, timeout_s):
        return {"bundle": "known", "parameters": {"trust": 2.0}}

    def restart(self, wait_for):
        self.restarts += 1
        self.first_answer_ns = 7 if self.restarts in self.sees_old_image_at else None


class FakeNode:
    """A simulator that can be reset: applies what it is sent, and ticks whenever the collector spins."""

    has_step_results, has_expert, can_reset = True, True, True
    failure, period_ns, dropped = None, PERIOD, 0

    def __init__(self, planner=None, rivals=(), cameras=("rgb_front",), **of_each_tick):
        specs = tuple(CameraSpec(name, 96, 96) for name in cameras)
        self.cameras = SimpleNamespace(specs=specs, topics=[], unpublished=lambda: [], silent=lambda: [])
        self.planner, self.rivals, self.of_each_tick = planner, list(rivals), of_each_tick
        self.on_tick = lambda tick: None
        self.paused, self.number, self.applied, self.seeds = False, 0, np.zeros(3, np.float32), []
        self.lost: set[int] = set()  # ticks after a reset that never arrive, in the first episode
        self.late: set[int] = set()  # ticks after a reset without the last camera's picture, in the first episode

    def spin(self, seconds):
        if self.paused or not self.seeds:
            return
        self.number += 1
        self.since_reset += 1
        if len(self.seeds) == 1 and self.since_reset in self.lost:
            return
        if self.planner and self.planner.first_answer_ns is None:
            self.planner.first_answer_ns = self.number * PERIOD
        count = len(self.cameras.specs)
        seen = np.ones(count, bool)
        seen[-1] = len(self.seeds) > 1 or self.since_reset not in self.late
        image = np.repeat(np.where(seen, self.number % 256, 0), 3)[:, None, None] * np.ones((1, 4, 4))
        values = {"image": image.astype(np.uint8), "seen": seen, "control": self.applied, **self.of_each_tick}
        self.on_tick(tick(self.number, **values))

    def other_drivers(self):
        return self.rivals

    def start(self, with_steps, with_expert):
        pass

    def enable_autopilot(self, on):
        pass

    def send(self, decision):
        self.applied = np.array(decision.command)

    def pause(self):
        self.paused = True

    def play(self):
        self.paused = False

    def stands_still(self):
        return self.paused

    def request_reset(self, seed):
        assert self.paused, "a reset while the simulator runs leaves a tick of the old episode on its way"
        self.seeds.append(seed)
        self.since_reset = 0
        return SimpleNamespace(done=lambda: True, result=lambda: SimpleNamespace(success=True, message=""))


def collector(folder, node, **options) -> Collector:
    values = dict(episodes=1, episode_length=30, output_dir=str(folder), driver="planner", seed=40, timeout=5.0)
    return Collector(CollectOptions(**{**values, **options}), node, node.spin)


def recorded(folder, node, **options):
    collecting = collector(folder, node, **options)
    recorder, driver = collecting.connect()
    for index in collecting.missing():
        collecting.record(index, recorder, driver)
    return [read_episode(collecting.path(index)) for index in range(collecting.options.episodes)]


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

"""The recorder's loop without ROS: who drives, what ends an episode, what is driven again."""

from types import SimpleNamespace

import numpy as np
import pytest
from wm_bundle import CameraSpec, from_command, to_command
from wm_data.episodes import read_episode
from wm_training.collect import CollectOptions
from wm_training.data.collector import CollectError, Collector
from wm_training.data.drivers import BurstNoise, PlannerFollower
from wm_training.data.recording import EpisodeRecorder, Standstill, Tick

PERIOD = 80_000_000
PLAN = np.array([0.1, 0.4, 0.0], np.float32)
LABEL = np.array([-0.2, 0.0, 0.3], np.float32)


def tick(i: int, **changes) -> Tick:
    values = dict(
        stamp_ns=i * PERIOD,
        image=np.full((3, 4, 4), i % 256, np.uint8),
        speed=5.0,
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

    def describe(self, wait_for):
        return {"bundle": "known", "parameters": {"trust": 2.0}}

    def restart(self, wait_for):
        self.restarts += 1
        self.first_answer_ns = 7 if self.restarts in self.sees_old_image_at else None


class FakeNode:
    """A simulator that can be reset: applies what it is sent, and ticks whenever the collector spins."""

    image_topic, has_camera, has_step_results, has_expert, can_reset = "/image", True, True, True, True
    failure, period_ns, dropped = None, PERIOD, 0
    camera = CameraSpec("rgb_front", 96, 96)

    def __init__(self, planner=None, rivals=(), **of_each_tick):
        self.planner, self.rivals, self.of_each_tick = planner, list(rivals), of_each_tick
        self.on_tick = lambda tick: None
        self.paused, self.number, self.applied, self.seeds = False, 0, np.zeros(3, np.float32), []
        self.lost: set[int] = set()  # ticks after a reset that never arrive, in the first episode

    def spin(self, seconds):
        if self.paused or not self.seeds:
            return
        self.number += 1
        self.since_reset += 1
        if len(self.seeds) == 1 and self.since_reset in self.lost:
            return
        if self.planner and self.planner.first_answer_ns is None:
            self.planner.first_answer_ns = self.number * PERIOD
        self.on_tick(tick(self.number, control=self.applied, **self.of_each_tick))

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
    driver, noise = PlannerFollower(BurstNoise(0.08, 0.5, 0.4)), BurstNoise(0.08, 0.5, 0.4)
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

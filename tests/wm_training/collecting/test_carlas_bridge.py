"""Recording from CARLA's bridge without ROS: it ticks for each row, and its autopilot drives undisturbed."""

import numpy as np
import pytest
from fake_simulators import PERIOD, FakeBridge, FakePlanner, collector, recorded, tick
from wm_training.collecting.drivers import AutopilotWithBursts, BurstNoise
from wm_training.errors import CollectError


def test_carlas_bridge_ticks_once_for_each_row_and_runs_on_afterwards(tmp_path):
    node = FakeBridge()
    collecting = collector(tmp_path, node, driver="autopilot", episodes=2)
    recorder, driver = collecting.connect()
    episodes = [collecting.record(index, recorder, driver) for index in collecting.missing()]
    assert [len(episode) for episode in episodes] == [30, 30] and recorder.missed == 0
    assert node.time.asked == ["play", "pause"] + ["step"] * 62  # 30 rows need 31 ticks
    node.time.plays_lost = 1  # by the step that it came with
    collecting.release(node.spin)
    assert node.time.asked[-2:] == ["play", "play"] and node.time.runs


def test_a_second_signal_leaves_no_bridge_paused(tmp_path):
    node = FakeBridge()
    collecting = collector(tmp_path, node, driver="autopilot")
    collecting.connect()

    def interrupted(seconds):
        raise KeyboardInterrupt

    collecting.spin = interrupted
    node.time.plays_lost = 2
    collecting.release(node.spin)
    assert node.time.runs


def test_nothing_is_sent_while_carlas_autopilot_drives(tmp_path):
    node = FakeBridge()
    (episode,) = recorded(tmp_path, node, driver="autopilot")
    assert node.sent == [] and node.autopilot == [True]
    np.testing.assert_array_equal(episode.actions, node.acted[-30:])
    labelled = np.isfinite(episode.expert_actions).all(1)
    assert labelled.tolist() == [False] * 2 + [True] * 28
    np.testing.assert_array_equal(episode.expert_actions[labelled], episode.actions[labelled])


def test_a_burst_switches_the_autopilot_off_and_its_rows_have_no_label(tmp_path):
    node = FakeBridge()
    episodes = recorded(tmp_path, node, driver="noisy-autopilot", noise_every=0.5, episode_length=100, episodes=3)
    assert node.autopilot == [i % 2 == 0 for i in range(len(node.autopilot))] and len(node.autopilot) > 5
    for index, episode in enumerate(episodes):
        first = len(node.acted) - 101 * (3 - index) + 1
        acted, by = np.array(node.acted[first : first + 100]), node.by[first : first + 100]
        np.testing.assert_array_equal(episode.actions, acted)
        labelled = np.isfinite(episode.expert_actions).all(1)
        assert labelled.any() and not (labelled & ~np.array(by)).any()
        np.testing.assert_array_equal(episode.expert_actions[labelled], episode.actions[labelled])


def test_a_burst_is_one_push_of_what_the_autopilot_did_and_acts_until_that_commands_again():
    pushes = [None] * 5 + [np.array([0.2, 0.0])] * 2 + [None] * 8
    noise = BurstNoise(0.08, 2.0, 0.4)
    noise.next = iter(pushes).__next__
    driver = AutopilotWithBursts(noise)
    own = [np.array([i / 100, 0.5, 0.0], np.float32) for i in range(20)]
    decisions, applied = [], own[0]
    for i in range(len(pushes)):
        decisions.append(driver.drive(tick(i, control=applied)))
        # CARLA's traffic manager needs two more ticks after the burst until it commands again.
        applied = decisions[min(i, 6)].command if 5 <= i < 9 else own[i]
    assert [decision.autopilot for decision in decisions] == [None] * 5 + [False, None, True] + [None] * 7
    for decision in decisions[5:7]:
        np.testing.assert_allclose(decision.command, own[4] + [0.2, 0.0, 0.0], atol=1e-6)
    assert all(decision.command is None for decision in decisions[:5] + decisions[7:])
    # Tick 10 is the first that shows the autopilot's command again.
    assert [i for i, decision in enumerate(decisions) if decision.expert_drives] == [2, 3, 4, 10, 11, 12, 13, 14]


def test_a_bridge_that_waits_for_commands_is_refused_for_the_autopilot_only(tmp_path):
    with pytest.raises(CollectError, match="synchronous_mode_wait_for_vehicle_control_command:=False"):
        collector(tmp_path, FakeBridge(waits=True), driver="autopilot").connect()
    node = FakeBridge(waits=True)
    (episode,) = recorded(tmp_path, node, driver="random")
    assert len(episode) == 30 and len(node.sent) == 31 and node.time.asked.count("step") == 31


def test_a_tick_that_stays_incomplete_is_passed_over_and_counted(tmp_path):
    node = FakeBridge()
    collecting = collector(tmp_path, node, driver="autopilot")
    recorder, driver = collecting.connect()
    node.lost = {node.since_reset + 15}
    episode = collecting.record(0, recorder, driver)
    assert len(episode) == 13 and recorder.missed == 1  # ticks 1 to 14 are 13 rows


def test_a_server_that_keeps_its_own_time_is_recorded_as_it_comes(tmp_path):
    node = FakeBridge(synchronous=False)
    (episode,) = recorded(tmp_path, node, driver="autopilot")
    assert len(episode) == 30 and node.time.asked == ["play"]


def test_a_car_that_was_commanded_is_left_braking(tmp_path):
    node = FakeBridge()
    collecting = collector(tmp_path, node, driver="random")
    collecting.record(0, *collecting.connect())
    collecting.release(node.spin)
    np.testing.assert_array_equal(node.sent[-1], [0.0, 0.0, 1.0])


def test_after_a_collision_the_next_episode_begins_when_the_car_is_free(tmp_path):
    node = FakeBridge()
    collecting = collector(tmp_path, node, driver="autopilot", episodes=2)
    recorder, driver = collecting.connect()
    node.collisions = {node.since_reset + i for i in (21, 22, 23, 26, 29, 32, 35)}
    episodes = [collecting.record(index, recorder, driver) for index in range(2)]
    # Ticks 1 to 21 are 20 rows. Then the car is freed for less than 10 rows, more often than an episode is tried again.
    assert [len(episode) for episode in episodes] == [20, 30]
    assert episodes[0].terminals[-1] and not episodes[1].terminals.any()
    assert episodes[1].stamps_ns[0] == (node.since_reset - 30) * PERIOD


def test_a_planners_car_that_stands_for_good_ends_the_recording(tmp_path):
    node = FakeBridge(planner=FakePlanner(), speed=0.0)
    with pytest.raises(CollectError, match="the planner's car stood all the time"):
        recorded(tmp_path, node, driver="planner", standstill=1.0, timeout=0.3)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_acts_a_tick_late_is_counted_and_the_row_has_what_acted(tmp_path):
    node = FakeBridge()
    collecting = collector(tmp_path, node, driver="random")
    recorder, driver = collecting.connect()
    node.deaf = {node.since_reset + 10, node.since_reset + 20}
    episode = collecting.record(0, recorder, driver)
    assert collecting.late == 2
    np.testing.assert_array_equal(episode.actions, node.acted[-30:])
    np.testing.assert_array_equal(episode.actions[8], episode.actions[7])  # tick 10 ends row 8


def test_a_tick_from_before_the_first_step_does_not_make_every_command_late(tmp_path):
    node = FakeBridge()
    collecting = collector(tmp_path, node, driver="random")
    recorder, driver = collecting.connect()
    node.number += 1
    node.queue.append(tick(node.number, reward=None, expert=None))
    episode = collecting.record(0, recorder, driver)
    assert collecting.late <= 3 and len(episode) == 30
    assert node.time.asked.count("step") == 30  # for 31 ticks

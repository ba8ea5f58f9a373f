import numpy as np
from wm_bundle import from_command
from wm_training.collecting.drivers import BurstNoise, Follower, RandomDriver
from wm_training.collecting.recording import EpisodeRecorder, Tick, TickAssembler

PERIOD = 80_000_000


def tick(i: int, **changes) -> Tick:
    """Tick i: its image, speed, applied control and reward all carry the number i."""
    values = dict(
        stamp_ns=i * PERIOD,
        image=np.full((3, 4, 4), i, np.uint8),
        vector={"speed": float(i)},
        control=np.array([i / 100, 0, 0], np.float32),
        reward=float(i),
        expert=np.array([-i / 100, 0, 0], np.float32),
    )
    return Tick(**{**values, **changes})


def recorder(length: int = 100) -> EpisodeRecorder:
    return EpisodeRecorder(length, PERIOD, {"rate_hz": 12.5})


def test_a_row_takes_its_observation_from_one_tick_and_its_result_from_the_next():
    record = recorder()
    assert [record.add(tick(i)) for i in range(4)] == [None] * 4
    episode = record.add(tick(4, terminated=True))
    assert episode.observations[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert episode.vector[:, 0].tolist() == [0, 1, 2, 3]
    assert episode.rewards.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(episode.actions[:, 0], [0.01, 0.02, 0.03, 0.04])
    np.testing.assert_allclose(episode.expert_actions[:, 0], [0, -0.01, -0.02, -0.03])
    assert episode.dones.tolist() == episode.terminals.tolist() == [False, False, False, True]
    assert episode.stamps_ns.tolist() == [0, PERIOD, 2 * PERIOD, 3 * PERIOD]


def test_a_truncation_is_done_but_not_terminal():
    record = recorder()
    record.add(tick(0))
    episode = record.add(tick(1, truncated=True))
    assert episode.dones.tolist() == [True] and episode.terminals.tolist() == [False]


def test_the_tick_after_a_done_begins_a_new_episode():
    record = recorder()
    for i in range(3):
        record.add(tick(i))
    assert len(record.add(tick(3, terminated=True))) == 3
    assert record.add(tick(4)) is None and record.rows == 0


def test_what_is_driven_in_reverse_gear_is_in_no_row():
    record = recorder()
    for i in range(4):
        record.add(tick(i))
    episode = record.add(tick(4, reverse=True))
    assert len(episode) == 3 and episode.dones[-1] and not episode.terminals[-1]
    assert record.add(tick(5, reverse=True)) is None and record.gaps == 0
    for i in (6, 7):
        record.add(tick(i))
    assert record.cut().observations[:, 0, 0, 0].tolist() == [5, 6]


def test_a_gap_in_the_stamps_cuts_and_nothing_reaches_across():
    record = recorder()
    for i in range(3):
        record.add(tick(i))
    episode = record.add(tick(10))
    assert len(episode) == 2 and episode.dones[-1] and not episode.terminals[-1]
    record.add(tick(11))
    assert record.rows == 1


def test_full_length_ends_and_the_same_tick_begins_the_next():
    record = recorder(length=3)
    ended = [record.add(tick(i)) for i in range(7)]
    assert [len(episode) for episode in ended if episode] == [3, 3]
    assert ended[3] is not None and ended[6].rewards.tolist() == [4, 5, 6]


def test_without_step_results_rewards_are_computed_and_a_collision_is_terminal():
    record = recorder()
    record.add(tick(0, reward=None, control=np.zeros(3, np.float32)))
    crash = tick(
        1,
        reward=None,
        vector={"speed": 4.0},
        control=np.array([0.5, 0, 0], np.float32),
        collision=True,
        lane_crossings=2,
    )
    episode = record.add(crash)
    # From 0 to 4 m/s, of 8: half of their mean. Two lane crossings, a collision; no jerk is known yet, and no yaw rate.
    assert episode.meta["reward"] == "driving-1"
    terms = dict(zip(episode.meta["reward_terms"], episode.reward_terms[0].tolist(), strict=True))
    unknown = {name for name, value in terms.items() if np.isnan(value)}
    assert unknown == {"jerk", "lateral_acceleration"}
    assert {name: terms[name] for name in terms.keys() - unknown} == {
        "efficiency": 0.25,
        "lane_invasion": -2.0,
        "collision": -10.0,
    }
    assert episode.rewards.tolist() == [0.25 - 2.0 - 10.0]
    assert episode.terminals.tolist() == [True]


def test_parts_join_by_stamp_in_any_order_and_older_leftovers_are_dropped():
    assembler = TickAssembler({"image", "status"})
    assert assembler.add("image", 1, "i1") is None
    assert assembler.add("status", 2, "s2") is None
    assert assembler.add("image", 2, "i2") == {"status": "s2", "image": "i2"}
    assert assembler.add("status", 1, "s1") is None  # its tick is past
    assert assembler.dropped == 1


def test_the_assembler_holds_only_so_many_incomplete_ticks():
    assembler = TickAssembler({"image", "status"}, keep=5)
    for stamp in range(1, 1000):
        assembler.add("image", stamp, None)
    assert len(assembler._parts) <= 5 and assembler.dropped == 994


def test_noise_comes_in_bursts_and_repeats_with_its_seed():
    def drive(seed):
        driver = Follower("expert", BurstNoise(period_s=0.08, every_s=2.0, strength=0.4))
        driver.begin(seed)
        return np.stack([from_command(driver.drive(tick(0)).command) for _ in range(2000)])

    one = drive(3)
    np.testing.assert_array_equal(one, drive(3))
    pushed = (one != from_command(tick(0).expert)).any(1)
    # 2 s between bursts of 0.16 to 0.8 s on average: about a fifth of the time
    assert 0.08 < pushed.mean() < 0.4
    assert not (one == drive(4)).all()


def test_the_random_driver_is_smooth_and_within_limits():
    driver = RandomDriver(period_s=0.08)
    driver.begin(0)
    commands = np.stack([driver.drive(tick(0)).command for _ in range(3000)])
    assert (np.abs(commands[:, 0]) <= 1).all() and (commands[:, 1:] >= 0).all() and (commands[:, 1:] <= 1).all()
    steer = commands[:, 0]
    assert np.corrcoef(steer[1:], steer[:-1])[0, 1] > 0.7 and steer.std() > 0.2

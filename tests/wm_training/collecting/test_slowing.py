"""The autopilot held at shares of its usual speed: in a made car, in both built-in worlds, and by CARLA's autopilot."""

import numpy as np
import pytest
from fake_simulators import LABEL, FakeBridge, FakeNode, recorded, tick
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_bundle import from_command
from wm_sim.commands import Command
from wm_sim.simulation import Simulation
from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.drivers import chosen_driver
from wm_training.collecting.recording import Tick
from wm_training.collecting.slowing import SpeedShares

PERIOD_S = 0.08
FULL = np.array([0.3, 1.0, 0.0], np.float32)


def made_drive(seed: int, usual_mps: float, seconds: float = 60.0):
    """Speeds and limits (NaN: none) of a car with drag, whose driver always wants ``usual_mps``."""
    shares = SpeedShares(PERIOD_S, 0.1, 3.0)
    shares.begin(seed)
    speed, speeds, limits = 0.0, [], []
    for i in range(round(seconds / PERIOD_S)):
        wanted = np.array([0.3, min(1.0, 0.5 * max(usual_mps - speed, 0.0)), 0.0], np.float32)
        changed = shares.change(tick(i, speed=speed), wanted)
        speeds.append(speed)
        limits.append(np.nan if shares._share is None else shares._share * shares._usual_mps)
        command = wanted if changed is None else changed
        assert command[0] == pytest.approx(0.3) and from_command(command)[1] <= from_command(wanted)[1] + 1e-6
        speed = max(0.0, speed + PERIOD_S * (6.0 * command[1] - 8.0 * command[2] - 0.02 * speed))
    return np.array(speeds), np.array(limits)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), usual_mps=st.floats(1.0, 30.0))
def test_the_car_keeps_every_share_of_its_usual_speed_and_never_steers_or_accelerates_more_than_the_driver(
    seed, usual_mps
):
    speeds, limits = made_drive(seed, usual_mps)
    # Settled: the limit has been the same for long enough to get there at 8 * 0.5 m/s^2.
    for limit in np.unique(limits[np.isfinite(limits)]):
        held = speeds[limits == limit]
        if len(held) * PERIOD_S > usual_mps / 3.0 + 1.0:
            assert abs(held[-1] - limit) <= 0.1 * limit + 0.6


def test_shares_cover_everything_from_the_slowest_on_and_repeat_with_their_seed():
    speeds = np.concatenate([made_drive(seed, 20.0)[0] for seed in range(10)])
    counts = np.histogram(speeds, bins=5, range=(0.0, 21.0))[0]
    assert counts.min() > 0.03 * len(speeds)
    np.testing.assert_array_equal(made_drive(3, 20.0)[0], made_drive(3, 20.0)[0])
    assert not np.array_equal(made_drive(3, 20.0)[0], made_drive(4, 20.0)[0])


def test_a_car_that_waits_at_first_has_no_usual_speed_yet_and_is_left_alone():
    shares = SpeedShares(PERIOD_S, 0.1, 3.0)
    assert all(shares.change(tick(i, speed=0.0), FULL) is None for i in range(1000))


def test_the_label_stays_what_the_expert_itself_would_command(tmp_path):
    (episode,) = recorded(tmp_path, FakeNode(), driver="slow-autopilot", episode_length=200, noise_strength=0.0)
    np.testing.assert_array_equal(episode.expert_actions, np.tile(LABEL, (200, 1)))
    assert episode.meta["driver"] == "slow-autopilot" and episode.meta["slow"] == {"slowest": 0.1, "segment_s": 3.0}
    assert episode.meta["noise"] == {"every_s": 2.0, "strength": 0.0}


@pytest.mark.parametrize("world", ["carracing", "traffic"])
def test_an_expert_that_is_held_back_drives_at_all_speeds_without_an_accident(world):
    driver = chosen_driver(CollectOptions(driver="slow-autopilot", noise_strength=0.0), PERIOD_S, with_expert=True)
    shares = []
    for seed in (20001, 20004):
        simulation = Simulation(PERIOD_S, seed, world)
        driver.begin(seed)
        now, speeds = simulation.tick(Command()), []
        while now.result is None and len(speeds) < 250:
            expert = np.array(now.expert.pedals(), np.float32)
            decision = driver.drive(Tick(len(speeds), None, {"speed": now.state.speed}, None, expert=expert))
            speeds.append(now.state.speed)
            now = simulation.tick(Command(*map(float, decision.command)))
        assert now.result is None or now.result.ending in ("time limit", "lap finished")
        shares.append(np.array(speeds) / max(speeds))
    assert np.histogram(np.concatenate(shares), bins=4, range=(0, 1))[0].min() >= 25


def test_carlas_autopilot_is_braked_for_moments_and_steers_for_longer_ones_between_them(tmp_path):
    node = FakeBridge(speed=6.0)
    (episode,) = recorded(tmp_path, node, driver="slow-autopilot", episode_length=800, noise_strength=0.0)
    by = np.array(node.by[-800:])
    changes = np.flatnonzero(np.diff(by)) + 1
    lengths = np.diff(changes)
    held, rests = lengths[by[changes[1:] - 1] == 0], lengths[by[changes[1:] - 1] == 1]
    assert len(held) > 20 and held.max() <= 0.4 / 0.08 + 1 and rests.min() >= 0.8 / 0.08 - 1
    labelled = np.isfinite(episode.expert_actions).all(1)
    assert 0.1 < labelled.mean() < 0.9 and not (labelled & ~by).any()
    assert (episode.actions[~by & ~labelled, 2] > 0).mean() > 0.9  # what acts then is a brake


@pytest.mark.parametrize("option, found", [("slowest", 0.0), ("slow_segment", 0.0), ("slowest", 1.5)])
def test_shares_that_are_none_are_refused(option, found):
    with pytest.raises(ValueError, match=f"{option} is {found:g}, expected|{option} is {found}, expected"):
        CollectOptions(**{option: found})

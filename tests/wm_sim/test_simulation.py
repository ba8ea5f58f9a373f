"""Episodes, stamps and results of the simulation without ROS."""

import pytest
from wm_sim.commands import Command
from wm_sim.simulation import Simulation
from wm_sim.world import Marking

STEPS_NS = {79_999_998, 79_999_999}  # as CARLA counts 0.08 s: 0.07999999821186066


def drive_to_the_end(simulation, command=None):
    ticks = [simulation.tick(Command())]
    while ticks[-1].result is None:
        ticks.append(simulation.tick(command or ticks[-1].expert))
    return ticks


def test_stamps_grow_as_carlas_and_jump_by_a_second_between_episodes():
    simulation = Simulation(0.08, seed=0)
    stamps = []
    for _ in range(2):
        stamps.append([tick.stamp_ns for tick in drive_to_the_end(simulation, Command(throttle=0.4))])
    for episode in stamps:
        assert {after - before for before, after in zip(episode, episode[1:], strict=False)} == STEPS_NS
    assert abs(stamps[1][0] - stamps[0][-1] - 1_000_000_000) <= 1
    assert stamps[0][0] == 34_270_000_000, "a server has run before"


def test_another_server_has_another_time_and_its_car_another_id():
    simulation = Simulation(0.08, seed=0)
    first = simulation.tick(Command())
    for _ in range(20):
        last = simulation.tick(Command())
    simulation.restart_clock()
    simulation.new_car()
    simulation.pass_time()
    simulation.request_reset(-1)
    tick = simulation.tick(Command())
    # One tick of the empty world, then the car's first one.
    assert first.stamp_ns < tick.stamp_ns < last.stamp_ns and tick.frame == 2
    assert tick.stamp_ns - first.stamp_ns in (159_999_996, 159_999_997)
    assert tick.car_id != first.car_id


def test_the_first_tick_of_an_episode_only_shows_the_start():
    tick = Simulation(0.08, seed=0).tick(Command(throttle=1.0))
    outcome = tick.outcome
    assert (outcome.reward, outcome.terminated, outcome.truncated, tick.applied) == (0.0, False, False, Command())
    assert tick.state.speed == pytest.approx(0.0, abs=1e-6)


def test_leaving_the_field_and_the_road_are_reported_once():
    ticks = drive_to_the_end(Simulation(0.08, seed=0), Command(throttle=0.4))
    assert [len(tick.outcome.collisions) for tick in ticks] == [0] * (len(ticks) - 1) + [1]
    assert ticks[-1].outcome.terminated
    assert 1 <= sum(tick.outcome.crossed == (Marking.SOLID,) for tick in ticks) <= 4
    result = ticks[-1].result
    assert result.ending == "left the field"
    assert result.steps == len(ticks) - 1
    assert result.score == pytest.approx(sum(tick.outcome.reward for tick in ticks))
    wheels = sum(tick.state.wheels_off_road for tick in ticks)
    assert result.off_road_share == pytest.approx(wheels / (4 * result.steps))
    assert 0.3 < result.off_road_share < 1.0


def test_a_finished_lap_is_terminated_but_not_a_failure():
    ticks = drive_to_the_end(Simulation(0.08, seed=1000))
    assert ticks[-1].outcome.terminated and not ticks[-1].outcome.collisions
    assert "lap finished" in ticks[-1].result.line(1)


def test_seeds_count_up_and_reset_chooses_one():
    simulation = Simulation(0.08, seed=20)
    first = simulation.tick(Command()).state
    simulation.tick(Command(throttle=0.3))
    assert simulation.request_reset(-1) == 21
    assert simulation.tick(Command()).state != first
    assert simulation.request_reset(20) == 20
    assert simulation.tick(Command()).state == first
    assert simulation.request_reset(-1) == 21
    with pytest.raises(ValueError, match="-2"):
        simulation.request_reset(-2)

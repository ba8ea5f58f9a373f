"""Lock-step is one definition, and what is planned in it depends on no machine's speed."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_planner import make_planner, observe
from wm_bundle import lock_step
from wm_planner.command_watchdog.node import WatchdogConfig
from wm_planner.config import PlannerConfig
from wm_planner.pilot.phase import MOST_IN_ROW
from wm_sim.config import BridgeConfig
from wm_tools.benchmark.benchmark_options import EXTERNAL, BenchmarkOptions
from wm_tools.benchmark.trial import wait_of
from wm_tools.drive.controllers import Controller
from wm_tools.drive.drive_options import DriveOptions
from wm_tools.drive.runner import parameters_of
from wm_tools.evaluate_bag.evaluate_bag_options import DECIDED, replay_config

ALL_OF_IT = lock_step.planner_parameters(lock_step.EMBEDDED_WAIT_S)


@pytest.mark.parametrize("wait_s", [lock_step.EMBEDDED_WAIT_S, lock_step.BRIDGE_WAIT_S])
def test_the_planner_answers_within_the_simulators_wait_and_sends_nothing_else(wait_s):
    config = PlannerConfig.from_values(lock_step.planner_parameters(wait_s))
    assert config.lock_step and not PlannerConfig().lock_step
    assert config.deadline_ms < 1000.0 * wait_s and config.deadline_frames == 0
    assert config.camera_deadline_ms < 1000.0 * config.image_timeout_s < 1000.0 * wait_s


@pytest.mark.parametrize("deadline_ms", [60.0, 5000.0])
def test_how_long_the_simulator_waits_is_no_question_of_the_plans_deadline(deadline_ms):
    """That may be set, also while driving, to cut the search short: the phase would be found too soon or too late."""
    given = lock_step.planner_parameters(lock_step.BRIDGE_WAIT_S) | {"deadline_ms": deadline_ms}
    assert PlannerConfig.from_values(given).answer_s == 0.9


@pytest.mark.parametrize("period_s", [0.02, 0.05, 0.08, 0.2])
def test_the_watchdog_counts_simulated_time_and_lets_the_planner_find_its_phase(period_s):
    config = WatchdogConfig.from_values(lock_step.watchdog_parameters(period_s))
    assert config.lock_step and not WatchdogConfig().lock_step
    assert config.timeout_s >= WatchdogConfig().timeout_s
    assert config.timeout_s > (MOST_IN_ROW + 1) * period_s, "of answers withheld, and the one before them"


def test_the_built_in_simulator_waits_as_long_as_the_others_are_told():
    config = BridgeConfig.from_values(lock_step.simulator_parameters(waits=True))
    assert config.synchronous_mode_wait_for_vehicle_control_command
    assert config.command_wait == lock_step.EMBEDDED_WAIT_S
    assert BridgeConfig().command_wait == lock_step.BRIDGE_WAIT_S  # as the bridge it stands for
    assert not BridgeConfig.from_values(
        lock_step.simulator_parameters(waits=False)
    ).synchronous_mode_wait_for_vehicle_control_command


def test_all_who_decide_in_lock_step_take_the_same_parameters(manifest):
    bundle = SimpleNamespace(manifest=manifest, path=Path("bundle"))
    drive = parameters_of(DriveOptions(real_time_factor=0.0), bundle, Controller("planner", "planner"))
    assert ALL_OF_IT.items() <= drive.items()
    assert not ALL_OF_IT.keys() & parameters_of(DriveOptions(), bundle, Controller("planner", "planner")).keys()
    assert wait_of(BenchmarkOptions()) == lock_step.EMBEDDED_WAIT_S
    assert wait_of(BenchmarkOptions(simulator=EXTERNAL, max_steps=1)) == lock_step.BRIDGE_WAIT_S
    config = replay_config(bundle.path, ())
    assert {name: getattr(config, name) for name in ALL_OF_IT} == ALL_OF_IT and set(ALL_OF_IT) < set(DECIDED)


def test_a_machine_a_hundred_times_slower_plans_the_same(engine, clock):
    def drive(seconds_each: float):
        engine.imagine_s_each = seconds_each
        planner = make_planner(engine, clock)
        plans = []
        for _ in range(4):
            observe(planner)
            plans.append(planner.plan(clock() + 0.8 * ALL_OF_IT["deadline_ms"] / 1000.0))
            planner.note_command(plans[-1].action)
        return np.array([plan.actions for plan in plans]), [plan.iterations for plan in plans]

    fast, slow = drive(0.0005), drive(0.05)  # 3 iterations of 32 candidates: 0.05 s and 4.8 s
    np.testing.assert_array_equal(fast[0], slow[0])
    assert fast[1] == slow[1] == [3, 3, 3, 3]

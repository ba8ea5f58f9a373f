"""Trials in processes, with an episode made up."""

import os
import signal
from dataclasses import dataclass

import pytest
from wm_tools.benchmark.plan import Trial
from wm_tools.benchmark.workers import drive_in_processes
from wm_tools.common.errors import DriveError
from wm_tools.drive.controllers import Controller

PLANNER = Controller("planner", "planner")
TRIALS = [Trial(PLANNER, "lock-step", None, seed) for seed in range(4)]


@dataclass(frozen=True)
class MadeUp:
    """In the place of a TrialDriver: on the tracks ``deadly`` its process dies, on those ``impossible`` it refuses, and
    on those ``wrong`` it has a fault."""

    deadly: tuple[int, ...] = ()
    impossible: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()

    def drive(self, trial, show, tell):
        show("step 1")
        tell(f"waited for {trial.seed}")
        if trial.seed in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if trial.seed in self.impossible:
            raise DriveError(f"no domain for {trial.seed}")
        if trial.seed in self.wrong:
            return self.no_such_thing
        return {"seed": trial.seed, "process": os.getpid(), "session": os.getsid(0)}

    def lost(self, trial, reason):
        return {"seed": trial.seed, "failure": reason}


def drive(driver, workers):
    shown, said = [], []
    found = list(drive_in_processes(driver, TRIALS, workers, lambda trial, state: shown.append(trial), said.append))
    assert [trial.seed for trial, _ in found] == [episode["seed"] for _, episode in found]
    return {episode["seed"]: episode for _, episode in found}, shown, said


def test_every_trial_is_driven_once_by_as_many_processes_as_wanted_out_of_reach_of_ctrl_c():
    found, shown, said = drive(MadeUp(), 2)
    assert sorted(found) == [0, 1, 2, 3] and sorted(trial.seed for trial in shown) == [0, 1, 2, 3]
    assert sorted(said) == [f"waited for {seed}" for seed in range(4)]
    processes = {episode["process"] for episode in found.values()}
    assert len(processes) in (1, 2) and os.getpid() not in processes  # one, if the other was slow to start
    assert {episode["session"] for episode in found.values()} == processes


def test_a_trial_whose_worker_dies_twice_is_a_failure_and_the_others_are_driven():
    found, _, said = drive(MadeUp(deadly=(1,)), 2)
    assert sorted(found) == [0, 1, 2, 3]
    reason = "its worker process ended unexpectedly (killed by SIGKILL)"
    assert found[1]["failure"] == f"{reason}, for the second time"
    assert said.count(f"planner, lock-step, track 1: {reason}; it is driven again") == 1
    assert all("process" in found[seed] for seed in (0, 2, 3))


def test_what_ends_a_benchmark_in_a_worker_ends_it_here():
    with pytest.raises(DriveError, match="no domain for 2"):
        drive(MadeUp(impossible=(2,)), 2)
    with pytest.raises(RuntimeError, match="(?s)a fault in a worker.*no_such_thing"):
        drive(MadeUp(wrong=(2,)), 2)

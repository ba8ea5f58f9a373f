"""What the command line may say, and what follows from it."""

from pathlib import Path

import pytest
from wm_tools.benchmark import benchmark_options
from wm_tools.benchmark.benchmark_options import BenchmarkOptions, parse_options
from wm_tools.benchmark.disturbance import KINDS, Disturbance
from wm_tools.benchmark.gate import check_thresholds, judge_summary
from wm_tools.benchmark.plan import in_order, plan_trials
from wm_tools.common.errors import EvaluationError
from wm_tools.drive.controllers import Controller


def test_seeds_are_ranges_with_both_ends_and_lists():
    options = parse_options(["--seeds", "3000:3002,5,7:7", "--episodes", "4"])
    assert options.seeds == (3000, 3001, 3002, 5, 7)
    assert options.tracks == (3000, 3001, 3002, 5)


def test_a_controller_is_one_of_drives_or_a_bundle_of_its_own():
    options = parse_options(["--controllers", "planner,old=some/bundle,expert"])
    old = Controller("old", "planner", Path("some/bundle"))
    assert options.controllers == (Controller("planner", "planner"), old, Controller("expert", "expert"))
    assert [entry.has_model for entry in options.controllers] == [True, True, False]


def test_a_file_is_a_policy_that_drives_alone_in_every_mode():
    options = parse_options(["--controllers", "planner,clone=runs/clone.onnx"])
    clone = Controller("clone", "policy", policy=Path("runs/clone.onnx"))
    assert options.controllers[1] == clone and options.modes_of(clone) == ("lock-step", "real-time")
    named = parse_options(["--controllers", "policy", "--set", "proposal_policy=clone.onnx"])
    assert named.controllers == (Controller("policy", "policy"),)


def test_expert_and_random_drive_in_lock_step_only_and_are_not_swept():
    sweeps = ["--sweep", "image_noise=0,5", "--sweep", "brightness=0.5"]
    options = parse_options(["--controllers", "planner,random", "--seeds", "1:2", *sweeps])
    keys = [trial.key for trial in plan_trials(options)]
    drives = [("planner", "lock-step"), ("planner", "real-time"), ("random", "lock-step")]
    assert keys[:6] == [(*drive, "", seed) for seed in (1, 2) for drive in drives]
    assert len(keys) == 2 * 3 + 2 * 2 * 2  # 2 tracks of 3; 2 disturbances, 2 tracks, 2 modes of one controller
    assert {key[2] for key in keys} == {"", "image_noise=5", "brightness=0.5"}  # noise of 0 is no disturbance
    assert len(set(keys)) == len(keys)


def test_a_sweep_of_all_has_every_kind_with_its_usual_sizes():
    sweep = parse_options(["--sweep", "all"]).sweep
    assert sweep == tuple(Disturbance(name, size) for name, kind in KINDS.items() for size in kind.sizes)


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--seeds", "9:3"], "expected FIRST:LAST"),
        (["--seeds", "1,1"], "--seeds: expected every value once"),
        (["--seeds", "x"], "expected a whole number, found 'x'"),
        (["--episodes", "11"], "--episodes: expected 1 to the number of seeds, 10, found 11"),
        (["--controllers", "pilot"], "or NAME=BUNDLE_DIR or NAME=FILE.onnx with another name, found 'pilot'"),
        (["--controllers", "planner=clone.onnx"], "NAME=FILE.onnx with another name, found 'planner=clone.onnx'"),
        (["--workers", "41"], "--workers: expected 1 to 40, one for each ROS domain, found 41"),
        (["--workers", "2", "--modes", "real-time"], "--workers: expected 1 in real time"),
        (["--workers", "2", "--simulator", "external"], "--workers: expected 1 with --simulator external"),
        (["--executor", "ray"], "--executor ray: expected --modes lock-step"),
        (["--controllers", "policy"], "--controllers: expected a policy file for policy, found none; give --set"),
        (["--controllers", "actor,actor"], "--controllers: expected one or more, each name once"),
        (["--modes", "fast"], "expected one of lock-step, real-time, found 'fast'"),
        (["--sweep", "fog"], "--sweep: expected all or one of camera_latency"),
        (["--sweep", "brightness=a"], "--sweep: brightness: expected sizes separated by commas, found 'a'"),
        (["--sweep", "dropped_frames=2"], "dropped_frames: expected a number from 0 to 0.95, found 2"),
        (["--sweep", "all", "--controllers", "expert"], "--sweep: expected a controller with a model"),
        (["--sweep", "all", "--set", "image_transport=compressed"], "--sweep: expected --set image_transport=raw"),
        (["--threshold", "planner.score"], "expected NAME<VALUE"),
        (["--max-steps", "0"], "--max-steps: expected 1 or more"),
        (["--simulator", "external", "--world", "traffic"], "--simulator external: expected no --world, "),
        (["--simulator", "external", "--weather", "fog"], "--simulator external: expected no --world, --weather"),
        (["--weather", "hail"], "--weather"),
        (["--light", "0"], "--light: expected 0.05 to 3, found 0"),
        (["--light", "nan"], "--light: expected 0.05 to 3, found nan"),
        (["--start-timeout", "9999"], "--start-timeout: expected above 0 to 3540 s, found 9999"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(words, expected, capsys):
    with pytest.raises(SystemExit) as end:
        parse_options(words)
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert expected in said and len(said.splitlines()) == 1


def test_a_threshold_over_a_figure_that_will_not_be_there_is_refused():
    options = parse_options(["--controllers", "planner,random", "--threshold", "random.real_time.score>0"])
    with pytest.raises(EvaluationError, match=r"no figure 'random\.real_time\.score'"):
        check_thresholds(options.thresholds, options)
    good = parse_options(["--threshold", "planner.real_time.latency_ms.p99<80", "actor.lock_step.failed<1"])
    check_thresholds(good.thresholds, good)


def test_a_threshold_over_a_figure_that_nobody_told_does_not_hold():
    options = BenchmarkOptions(thresholds=parse_options(["--threshold", "planner.lock_step.score>-1"]).thresholds)
    (verdict,) = judge_summary(options.thresholds, {"groups": []})
    assert not verdict.holds


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="--output: expected a folder"):
        BenchmarkOptions(output=tmp_path / "file")


def test_a_worker_for_each_core_but_no_more_than_trials_or_ros_domains(monkeypatch):
    monkeypatch.setattr(benchmark_options, "usable_cores", lambda: 64)
    assert parse_options([]).workers_for(1000) == 40 and parse_options([]).workers_for(5) == 5
    assert parse_options(["--workers", "3"]).workers_for(1000) == 3 and parse_options([]).workers_for(0) == 1


def test_episodes_are_summed_up_in_the_order_of_the_plan_whichever_ended_first():
    trials = plan_trials(parse_options(["--seeds", "5,3"]))
    lines = [{"trial": list(trial.key)} for trial in trials]
    assert in_order(lines[::-1], trials) == lines

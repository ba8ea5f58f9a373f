"""What a trial brings to another machine; Ray itself is made up here, tests/ros has the real one."""

from pathlib import Path

import pytest
from tiny_bundle import make_tiny_bundle
from wm_bundle import load_bundle
from wm_data.ray_cluster import ClusterError
from wm_tools.benchmark import on_ray
from wm_tools.benchmark.benchmark_options import parse_options
from wm_tools.benchmark.plan import plan_trials
from wm_tools.benchmark.trial_driver import TrialDriver
from wm_tools.common.errors import DriveError


@pytest.fixture
def driver(tmp_path):
    """Of a planner and a policy, with files beside the bundle, in lock-step on the cluster."""
    bundle = load_bundle(make_tiny_bundle(tmp_path / "home/bundle"))
    for name in ("clone.onnx", "cameras.json", "signals.yaml"):
        (tmp_path / "home" / name).write_text(f"content of {name}")
    home = tmp_path / "home"
    words = ["--controllers", f"planner,clone={home}/clone.onnx", "--set", f"signals_file={home}/signals.yaml"]
    words += ["--objects-definition-file", f"{home}/cameras.json", "--output", str(tmp_path / "out")]
    words += ["--seeds", "7", "--modes", "lock-step", "--executor", "ray"]
    options = parse_options(words)
    return TrialDriver(options, {"planner": bundle, "clone": bundle}, {"clone": "a clone"})


@pytest.fixture
def elsewhere(monkeypatch):
    """Tasks run here; what the driver of each found, by controller."""
    found = {}

    def drive(self, trial, show, tell):
        options = self.options
        files = [trial.entry.policy, options.objects_definition_file, Path(dict(options.parameters)["signals_file"])]
        bundle = load_bundle(self.bundles[trial.entry.name].path)  # checks the hashes
        texts = [file and file.read_text() for file in files]
        found[trial.entry.name] = texts, [file for file in (*files, bundle.path, options.output) if file]
        logs = self.logs_of(trial)
        logs.mkdir(parents=True)
        (logs / "planner.log").write_text("last words")
        return {"failure": f"it ended, see {logs / 'planner.log'}" if trial.entry.name == "clone" else None}

    def results(work, todo, common, workers, lost, begun):
        yield from (work(item, common) for item in todo)

    monkeypatch.setattr(TrialDriver, "drive", drive)
    monkeypatch.setattr(on_ray, "results_on_ray", results)
    return found


def test_a_trial_brings_its_bundle_and_files_and_sends_the_logs_of_a_failure_home(driver, elsewhere, tmp_path):
    results = list(on_ray.drive_on_ray(driver, plan_trials(driver.options), lambda trial, state: None))
    assert [trial.key for trial, _ in results] == [trial.key for trial in plan_trials(driver.options)]
    (planner, its_paths), (clone, other_paths) = elsewhere["planner"], elsewhere["clone"]
    assert planner == [None, "content of cameras.json", "content of signals.yaml"]
    assert clone == ["content of clone.onnx", *planner[1:]]
    assert not any(tmp_path in path.parents or path.exists() for path in its_paths + other_paths)
    log = tmp_path / "out/logs/clone-lock-step-7/planner.log"
    assert results[1][1]["failure"] == f"it ended, see {log}" and log.read_text() == "last words"
    assert [path.name for path in (tmp_path / "out/logs").iterdir()] == ["clone-lock-step-7"]


def test_a_machine_with_another_workspace_is_refused(driver, elsewhere, monkeypatch):
    workspaces = iter(("ours", "theirs"))
    monkeypatch.setattr(on_ray, "workspace", lambda: next(workspaces))
    with pytest.raises(DriveError, match="another workspace: expected ours, found theirs"):
        list(on_ray.drive_on_ray(driver, plan_trials(driver.options), lambda trial, state: None))


def test_a_cluster_that_is_missing_is_told(driver, monkeypatch):
    def none(*_, **__):
        raise ClusterError("no Ray cluster at mars:10001")
        yield

    monkeypatch.setattr(on_ray, "results_on_ray", none)
    with pytest.raises(DriveError, match="no Ray cluster at mars:10001"):
        list(on_ray.drive_on_ray(driver, plan_trials(driver.options), lambda trial, state: None))

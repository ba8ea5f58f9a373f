import csv
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_clones import command_line, looked_up, make_data
from tiny_training import start, wait_until
from wm_bundle import from_command
from wm_bundle.onnx_runtime import onnxruntime
from wm_bundle.policy import PolicyManifest
from wm_data.episodes import write_episode
from wm_training.cloning import onnx_file
from wm_training.cloning.clone_options import CloneOptions
from wm_training.cloning.data import CloneData
from wm_training.cloning.policy import ClonePolicy, measures
from wm_training.commands.clone import main
from wm_training.data.dataset import stack, window
from wm_training.training.learner import Learner


def manifest_of(file: Path) -> PolicyManifest:
    metadata = onnxruntime.InferenceSession(str(file)).get_modelmeta().custom_metadata_map
    return PolicyManifest.from_metadata(metadata, str(file))


def drive(file: Path, **inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return onnxruntime.InferenceSession(str(file)).run(["action", "std"], inputs)


def test_a_clone_learns_what_the_expert_sees_and_says_so_of_pictures_it_never_saw(tmp_path):
    make_data(tmp_path / "data", count=5, rows=200)
    arguments = command_line(tmp_path, "--num-epochs", "6", "--batch-size", "64", "--learning-rate", "1e-2")
    assert main(arguments) == 0
    new = looked_up(99, 300)
    action, std = drive(tmp_path / "clone.onnx", image=new.observations, vector=new.vector)
    wanted, found = from_command(new.expert_actions), from_command(action)
    error = np.abs(found - wanted).mean(0)
    assert (error < 0.1).all(), error  # labels are uniform in ±0.75, always saying 0 would be 0.38 wrong
    summary = json.loads((tmp_path / "clone.training" / "summary.json").read_text())
    measured = summary["best"]["validation"]
    assert measured["steer_r2"] > 0.9 and measured["longitudinal_r2"] > 0.9
    np.testing.assert_allclose([measured["steer_mae"], measured["longitudinal_mae"]], error, atol=0.03)


@pytest.mark.parametrize("cameras, previous_action", [(1, False), (2, True)])
def test_the_file_keeps_the_contract(tmp_path, cameras, previous_action):
    make_data(tmp_path / "data", cameras=cameras)
    more = ["--previous-action"] if previous_action else []
    assert main(command_line(tmp_path, "--num-epochs", "1", "--name", "mine", *more)) == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "clone.onnx"))
    inputs = {entry.name: (entry.type, entry.shape) for entry in session.get_inputs()}
    assert inputs == {
        "image": ("tensor(uint8)", ["N", 3 * cameras, 32, 32]),
        "vector": ("tensor(float)", ["N", 1]),
        **({"previous_action": ("tensor(float)", ["N", 3])} if previous_action else {}),
    }
    outputs = {entry.name: (entry.type, entry.shape) for entry in session.get_outputs()}
    assert outputs == {"action": ("tensor(float)", ["N", 3]), "std": ("tensor(float)", ["N", 2])}

    random = np.random.default_rng(0)
    given = {
        "image": random.integers(0, 256, (7, 3 * cameras, 32, 32), np.uint8),
        "vector": random.uniform(-1000, 1000, (7, 1)).astype(np.float32),
        **({"previous_action": random.uniform(0, 1, (7, 3)).astype(np.float32)} if previous_action else {}),
    }
    action, std = session.run(["action", "std"], given)
    assert ((action >= [-1, 0, 0]) & (action <= 1)).all() and (action[:, 1] * action[:, 2] == 0).all()
    assert ((std > 0) & (std <= 1)).all() and len(np.unique(action[:, 0])) == 7
    alone = [session.run(["action"], {name: rows[i : i + 1] for name, rows in given.items()})[0] for i in range(7)]
    np.testing.assert_allclose(np.concatenate(alone), action, atol=1e-5)
    if previous_action:
        stood = session.run(["action"], given | {"previous_action": np.zeros((7, 3), np.float32)})[0]
        assert np.abs(stood - action).max() > 1e-3

    manifest = manifest_of(tmp_path / "clone.onnx")
    assert manifest.policy_id.startswith("mine-") and manifest.control_period_s == pytest.approx(0.08)
    assert [camera.name for camera in manifest.image.cameras] == [f"camera_{k}" for k in range(cameras)]
    assert (manifest.image.height, manifest.image.cameras[0].source_height) == (32, 96)
    assert [(entry.name, entry.unit) for entry in manifest.vector] == [("speed", "m/s")]
    made = manifest.provenance
    assert made["data"]["rows"] == 4 * 24 and made["data"]["training_rows"] == 3 * 24
    assert made["parity"] <= 1e-4 and made["versions"]["torch"] == torch.__version__
    assert str(tmp_path) not in json.dumps(manifest.to_json()), "names of folders, not the way to them"


def test_a_policy_that_onnxruntime_computes_otherwise_is_not_written(tmp_path, capsys, monkeypatch):
    def another(graph, inputs, outputs, free, file):
        write_graph(graph, inputs, outputs, free, file)
        with torch.no_grad():
            graph.policy.actor.net[-1].bias.add_(0.1)

    write_graph = onnx_file.write_graph
    monkeypatch.setattr(onnx_file, "write_graph", another)
    assert main(command_line(tmp_path, "--num-epochs", "1")) == 1
    assert "clone.onnx was not written" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.onnx*")) and not list(tmp_path.glob(".*"))


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, monkeypatch, capsys):
    def rows(folder: str) -> list[dict[str, str]]:
        with open(tmp_path / folder / "metrics.csv", newline="") as stream:
            return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(stream)]

    assert main(command_line(tmp_path, output="whole.onnx")) == 0
    update = Learner.update

    def stopped(self, sample):
        if sample.step == 26:  # within the second epoch of 20
            signal.raise_signal(signal.SIGINT)
        return update(self, sample)

    arguments = command_line(tmp_path, output="part.onnx")
    monkeypatch.setattr(Learner, "update", stopped)
    assert main(arguments) == 130
    assert "stopped at update 27; the same command continues from" in capsys.readouterr().err
    assert not (tmp_path / "part.onnx").exists()
    monkeypatch.setattr(Learner, "update", update)
    assert main(arguments) == 0
    assert "from update 27;" in capsys.readouterr().err
    # The id holds the hash of all weights.
    assert manifest_of(tmp_path / "part.onnx").policy_id == manifest_of(tmp_path / "whole.onnx").policy_id
    assert rows("part.training") == rows("whole.training") and len(rows("part.training")) == 2


def test_other_settings_or_data_do_not_continue_a_run_and_another_seed_gives_another_policy(tmp_path, capsys):
    assert main(command_line(tmp_path)) == 0
    first = manifest_of(tmp_path / "clone.onnx").policy_id
    assert main(command_line(tmp_path, "--seed", "1", "--hidden-dim", "8")) == 1
    error = capsys.readouterr().err
    assert "hidden_dim 16 → 8, seed 0 → 1" in error and "--resume none" in error
    assert manifest_of(tmp_path / "clone.onnx").policy_id == first
    write_episode(tmp_path / "data" / "episode_000000.npz", looked_up(50, 24))
    assert main(command_line(tmp_path)) == 1
    assert "have changed since it began" in capsys.readouterr().err
    assert main(command_line(tmp_path, "--seed", "1", "--resume", "none")) == 0
    assert manifest_of(tmp_path / "clone.onnx").policy_id != first


def test_sigterm_ends_the_command_in_order(tmp_path):
    log, table = tmp_path / "log", tmp_path / "clone.training" / "metrics.csv"
    arguments = command_line(tmp_path, "--num-epochs", "100000")
    process = start([sys.executable, "-m", "wm_training.commands.clone", *arguments], log)
    wait_until(table.exists, process, log)
    process.terminate()
    assert process.wait(timeout=60) == 130, log.read_text()
    assert "the same command continues from" in log.read_text() and "Traceback" not in log.read_text()
    assert sorted(file.name for file in table.parent.iterdir()) == ["best_model.pt", "last.pt", "metrics.csv"]
    assert not (tmp_path / "clone.onnx").exists()


def test_episodes_without_labels_are_refused_with_the_way_out(tmp_path, capsys):
    make_data(tmp_path / "data", labelled=False)
    assert main(command_line(tmp_path)) == 1
    error = capsys.readouterr().err
    assert "found none" in error and "--labels actions" in error and error.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["data"]
    assert main(command_line(tmp_path, "--labels", "actions", "--num-epochs", "1")) == 0
    assert manifest_of(tmp_path / "clone.onnx").provenance["config"]["labels"] == "actions"


def test_actions_as_labels_are_what_was_driven_in_every_row(tmp_path):
    make_data(tmp_path / "data", labelled=False)
    options = CloneOptions(data_path=str(tmp_path / "data"), output="x.onnx", batch_size=16, labels="actions")
    batch = CloneData(options).batch(0, 0)
    assert (batch.expert_weight == 1).all()
    np.testing.assert_allclose(batch.expert[..., 1], batch.action[..., 1] - batch.action[..., 2])


def test_only_the_first_episodes_train_and_all_of_the_split_validate(tmp_path, capsys):
    make_data(tmp_path / "data", count=6)
    found = {}
    for number in (0, 2):
        options = CloneOptions(data_path=str(tmp_path / "data"), output="x.onnx", episodes=number, validation_share=0.3)
        data = CloneData(options)
        found[number] = [file.stem for file in data.train.files], [file.stem for file in data.val.files]
    everything, validation = found[0]
    assert len(everything) == 4 and len(validation) == 2
    assert found[2] == (everything[:2], validation)
    assert main(command_line(tmp_path, "--episodes", "7")) == 1
    assert "episodes is 7, but" in capsys.readouterr().err


def test_measures_are_those_of_the_labelled_rows_alone(tmp_path):
    data = CloneData(CloneOptions(data_path=str(make_data(tmp_path / "data")), output="x.onnx"))
    policy = ClonePolicy(data.config, 3, 1, previous_action=False)
    episode = looked_up(7, 40)
    expert = episode.expert_actions.copy()
    expert[::3] = np.nan
    batch = stack([window(replace(episode, expert_actions=expert), 0, 40)])
    with torch.no_grad():
        found = measures({name: float(value) for name, value in policy(batch).items()})
        given = (torch.from_numpy(values) for values in (episode.observations, episode.vector, episode.actions))
        chosen = policy.act(*given, torch.ones(40, 1))
    known = np.arange(40) % 3 != 0
    wanted = from_command(episode.expert_actions)[known]
    error = chosen.mode.numpy()[known] - wanted
    for column, name in enumerate(("steer", "longitudinal")):
        assert found[f"{name}_mae"] == pytest.approx(np.abs(error[:, column]).mean(), rel=1e-4)
        share = 1.0 - (error[:, column] ** 2).mean() / wanted[:, column].var()
        assert found[f"{name}_r2"] == pytest.approx(share, rel=1e-3)
    likelihood = chosen.log_probability(torch.from_numpy(from_command(episode.expert_actions)))[known]
    assert found["loss"] == pytest.approx(-float(likelihood.mean()), rel=1e-4)


def test_a_single_episode_trains_without_validation(tmp_path, capsys):
    write_episode(tmp_path / "data" / "episode_0.npz", looked_up(0, 30))
    assert main(command_line(tmp_path, "--num-epochs", "1")) == 0
    assert "no validation episodes" in capsys.readouterr().err
    assert manifest_of(tmp_path / "clone.onnx").provenance["best"] == {"epoch": 1, "step": 20, "validation": {}}


@pytest.mark.parametrize(
    "more, words",
    [
        (["--output", "clone.pt"], "ends with .onnx"),
        (["--batch-size", "15"], "batch_size is 15, expected an even number above 0"),
        (["--learning-rate", "0"], "learning_rate is 0.0, expected above 0"),
        (["--name", "a b"], "expected a name without blanks and slashes"),
    ],
)
def test_bad_arguments_end_with_a_message_and_code_2(more, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--data-path", "none", "--output", "x.onnx", *more])
    assert stop.value.code == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_data_and_places_that_cannot_be_used_end_with_one_line(tmp_path, capsys):
    assert main(["--data-path", str(tmp_path / "none"), "--output", str(tmp_path / "x.onnx")]) == 1
    (tmp_path / "folder.onnx").mkdir()
    assert main(command_line(tmp_path, output="folder.onnx")) == 1
    episode = looked_up(0, 24)
    write_episode(tmp_path / "bare" / "episode_0.npz", replace(episode, meta={}))
    assert main(["--data-path", str(tmp_path / "bare"), "--output", str(tmp_path / "x.onnx")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3, lines
    for line, words in zip(
        lines, ("no folder", "folder.onnx exists and is no file", "its meta lacks cameras"), strict=True
    ):
        assert words in line
    assert not (tmp_path / "x.training").exists()

import csv
import json
import signal
from pathlib import Path

import numpy as np
import pytest
from make_episodes import make_folder
from tiny_clones import SMALL
from toy_lane import driven_reward, wandering
from wm_bundle.onnx_runtime import onnxruntime
from wm_bundle.policy import PolicyManifest
from wm_data.episodes import write_episode
from wm_training.commands.clone import main as clone
from wm_training.commands.finetune_policy import main
from wm_training.training.learner import Learner

# Making the toy's world model takes some seconds of a core, and much longer where others have it.
pytestmark = pytest.mark.timeout(400)

# Nobody drove well in the toy: imagined returns alone decide, and no label.
FINETUNE = [
    "--labelled-share",
    "0",
    "--behaviour-weight",
    "0",
    "--continue-with",
    "policy",
    "--horizon",
    "2",
    "--hold",
    "1",
    "--context",
    "2",
    "--learning-rate",
    "3e-3",
    "--least-std",
    "0.3",
    "--warmup-steps",
    "5",
    "--validate-every",
    "20",
    "--validation-states",
    "16",
    "--validation-horizon",
    "3",
    "--threads",
    "1",
    "--device",
    "cpu",
]


@pytest.fixture(scope="module")
def weak(toy) -> Path:
    """A clone of the drives that steer at random: it has learned to stand still."""
    file = toy / "weak.onnx"
    arguments = ["--data-path", str(toy / "data"), "--output", str(file), "--labels", "actions", "--num-epochs", "1"]
    assert clone([*arguments, "--batch-size", "64", "--warmup-steps", "2", *SMALL]) == 0
    return file


def command_line(toy: Path, weak: Path, output: Path, *more: str) -> list[str]:
    places = ["--policy", str(weak), "--checkpoint", str(toy / "out" / "best_model.pt"), "--data-path"]
    return [*places, str(toy / "data"), "--output", str(output), *FINETUNE, *more]


def driver(file: Path):
    session = onnxruntime.InferenceSession(str(file))
    return lambda images: session.run(["action"], {"image": images})[0]


def manifest_of(file: Path) -> PolicyManifest:
    metadata = onnxruntime.InferenceSession(str(file)).get_modelmeta().custom_metadata_map
    return PolicyManifest.from_metadata(metadata, str(file))


def rows(table: Path) -> list[dict[str, str]]:
    with open(table, newline="") as stream:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(stream)]


def test_a_weak_policy_drives_better_in_the_toy_itself_after_learning_in_imagination(toy, weak, tmp_path, capsys):
    before = driven_reward(driver(weak))
    assert before < 0.6  # standing still is worth 0.48
    assert main(command_line(toy, weak, tmp_path / "better.onnx", "--num-updates", "60", "--horizon", "1")) == 0
    after = driven_reward(driver(tmp_path / "better.onnx"))
    assert after > before + 0.2, (before, after)  # a perfect driver has about 0.95
    summary = json.loads((tmp_path / "better.training" / "summary.json").read_text())
    assert summary["best"]["validation"]["score"] > summary["best"]["before"]["score"]
    manifest = manifest_of(tmp_path / "better.onnx")
    assert manifest.policy_id.startswith("guided-") and manifest.provenance["made_by"] == "wm_training finetune_policy"
    assert str(tmp_path) not in json.dumps(manifest.to_json()) and str(toy) not in json.dumps(manifest.to_json())
    assert "held-out score" in capsys.readouterr().err


def test_a_run_that_was_stopped_ends_as_one_that_was_not(toy, weak, tmp_path, monkeypatch, capsys):
    more = ("--num-updates", "6", "--validate-every", "2", "--batch-size", "8")
    assert main(command_line(toy, weak, tmp_path / "whole.onnx", *more)) == 0
    update = Learner.update

    def stopped(self, sample):
        if sample.step == 2:
            signal.raise_signal(signal.SIGINT)
        return update(self, sample)

    arguments = command_line(toy, weak, tmp_path / "part.onnx", *more)
    monkeypatch.setattr(Learner, "update", stopped)
    assert main(arguments) == 130
    assert "stopped at update 3; the same command continues from" in capsys.readouterr().err
    assert not (tmp_path / "part.onnx").exists()
    monkeypatch.setattr(Learner, "update", update)
    assert main([*arguments, "--seed", "1"]) == 1
    assert "seed 0 → 1" in capsys.readouterr().err
    assert main(arguments) == 0
    assert "from 3;" in capsys.readouterr().err
    # The id holds the hash of all weights.
    assert manifest_of(tmp_path / "part.onnx").policy_id == manifest_of(tmp_path / "whole.onnx").policy_id
    tables = [rows(tmp_path / f"{name}.training" / "metrics.csv") for name in ("part", "whole")]
    assert tables[0] == tables[1] and [row["step"] for row in tables[0]] == ["0", "2", "4", "6"]


def test_a_run_that_improves_nothing_ends_early_with_the_policy_it_began_with(toy, weak, tmp_path, capsys):
    more = ("--learning-rate", "1e-30", "--num-updates", "100", "--validate-every", "2", "--patience", "2")
    assert main(command_line(toy, weak, tmp_path / "same.onnx", *more, "--batch-size", "4")) == 0
    assert "no update imagined better" in capsys.readouterr().err
    assert [row["step"] for row in rows(tmp_path / "same.training" / "metrics.csv")] == ["0", "2", "4"]
    pictures = wandering(99, 10).observations
    np.testing.assert_allclose(driver(tmp_path / "same.onnx")(pictures), driver(weak)(pictures), atol=1e-6)


def test_labels_stay_in_the_mix_with_their_share(toy, weak, tmp_path):
    # With nothing but noise among the returns' weights, labels draw the policy to what was driven.
    for share in ("0.9", "0"):
        more = ("--labelled-share", share, "--num-updates", "20", "--batch-size", "8", "--temperature", "1e6")
        assert main(command_line(toy, weak, tmp_path / f"share_{share}.onnx", *more)) == 0
    table = rows(tmp_path / "share_0.9.training" / "metrics.csv")
    assert float(table[-1]["validation/loss"]) < float(table[0]["validation/loss"])
    assert "validation/loss" not in rows(tmp_path / "share_0.training" / "metrics.csv")[0]


def test_what_does_not_fit_ends_with_one_line(toy, weak, tmp_path, capsys):
    lone = tmp_path / "lone.onnx"
    lone.write_bytes(weak.read_bytes())
    write_episode(tmp_path / "one" / "episode_0.npz", wandering(0, 40))
    larger = make_folder(tmp_path / "larger")
    cases = [
        (("--policy", str(lone)), "expected its trainable weights in"),
        (("--policy", str(toy / "out" / "best_model.pt")), "expected the best_model.pt of a clone"),
        (("--checkpoint", str(tmp_path / "none.pt")), "no checkpoint at"),
        (("--data-path", str(tmp_path / "one")), "expected episodes for validation, found none"),
        (("--data-path", str(larger)), "is of another model"),
        (("--output", str(weak)), "is the policy to begin with"),
    ]
    for more, words in cases:
        assert main(command_line(toy, weak, tmp_path / "x.onnx", *more)) == 1
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1, error
    assert not (tmp_path / "x.training").exists() and not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize(
    "more, words",
    [
        (["--output", "x.pt"], "ends with .onnx"),
        (["--hold", "9"], "hold is 9, expected at most horizon, 6"),
        (["--proposals", "1"], "proposals is 1, expected at least 2"),
        (["--temperature", "0"], "temperature is 0.0, expected a number above 0"),
        (["--labelled-share", "1"], "labelled_share is 1.0, expected from 0 to below 1"),
    ],
)
def test_bad_arguments_end_with_a_message_and_code_2(more, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--policy", "p.onnx", "--checkpoint", "c.pt", "--data-path", "d", "--output", "x.onnx", *more])
    assert stop.value.code == 2
    assert words in " ".join(capsys.readouterr().err.replace("│", " ").split())

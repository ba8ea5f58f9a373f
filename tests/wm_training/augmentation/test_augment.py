"""The command: what it writes, that it continues where it was stopped, and what it refuses."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from make_episodes import make_folder
from tiny_training import tiny_config
from wm_bundle import from_command
from wm_data.episodes import find_episodes, read_episode, write_episode
from wm_data.imagined import drive_hash
from wm_training import WorldModelTrainer, load_world_model
from wm_training.api.observations import Observations
from wm_training.augmentation import imagining, runner
from wm_training.commands.augment import main
from wm_training.data.dataset import SequenceDataset


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with ``data``, four episodes of which the last validates, and ``model.pt``, untrained."""
    folder = tmp_path_factory.mktemp("place")
    config = tiny_config(folder, ensemble_size=2)
    trainer = WorldModelTrainer(config)
    torch.manual_seed(0)
    for head in (trainer.world_model.reward, trainer.world_model.value):
        for member in head.members:
            torch.nn.init.normal_(member.net[-1].weight, std=0.3)
    torch.nn.init.constant_(trainer.world_model.continues.net[-1].bias, 5.0)  # no drive ends by itself
    trainer.save_checkpoint(folder / "model.pt")
    return folder


@pytest.fixture
def generous(monkeypatch):
    """Filters that let everything through: an untrained model is surprised by all it decodes."""
    calibrate = imagining.calibrate

    def tell(recorded, quantile, split):
        found = calibrate(recorded, quantile, split)
        return replace(found, limits=dict.fromkeys(found.limits, 1e6))

    monkeypatch.setattr(imagining, "calibrate", tell)


def command_line(place, output, *more: str) -> list[str]:
    files = ["--checkpoint", str(place / "model.pt"), "--data-path", str(place / "data"), "--output-dir", str(output)]
    return [*files, "--num-augmentations", "3", "--horizon", "20", "--device", "cpu", "--threads", "1", *more]


def contents(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def manifest_of(folder) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def test_imagined_episodes_tell_where_they_come_from_and_hold_what_the_model_says(place, tmp_path, generous):
    assert main(command_line(place, tmp_path, "--policy", "noisy-actions", "--noise", "0")) == 0
    model = load_world_model(place / "model.pt", "cpu")
    model.fit_vector(place / "data")
    files = find_episodes(tmp_path)
    assert len(files) == 9
    for file in files:
        episode = read_episode(file)
        told = episode.meta["imagination"]
        source = read_episode(place / "data" / told["source"])
        start, rows = told["start_row"], len(episode)
        assert episode.meta["imagined"] is True and episode.meta["vector"] == source.meta["vector"]
        assert told["source_hash"] == drive_hash(source) and told["model"]["sha256"] == model.sha256
        assert told["policy"] == "noisy-actions" and told["seed"] == 0 and told["context"] == 5
        # The context's last row, start + 4, is row 0.
        np.testing.assert_allclose(
            from_command(episode.actions), from_command(source.actions[start + 4 : start + 4 + rows]), atol=1e-6
        )
        assert (episode.stamps_ns == source.stamps_ns[start + 4] + 80_000_000 * np.arange(rows)).all()
        assert episode.dones[-1] and not episode.dones[:-1].any() and not episode.terminals.any()
        state = model.encode(Observations.of_episode(source, slice(start, start + 5)))
        np.testing.assert_allclose(
            episode.observations[0].astype(int), model.decode(state)[0].numpy().astype(int), atol=1
        )
        np.testing.assert_allclose(episode.expert_actions[0], model.act(state)[0].numpy(), atol=1e-4)
        low, high = 0.0, 5.0  # speeds of make_episode
        assert (episode.vector >= low).all() and (episode.vector <= high).all()
    data = SequenceDataset(place / "data", tiny_config(place, imagined_path=str(tmp_path)))
    assert data.imagined == 9


def test_the_manifest_counts_what_is_there_and_what_was_refused(place, tmp_path, capsys):
    for quantile in ("1", "0.3"):
        folder = tmp_path / quantile
        assert main(command_line(place, folder, "--policy", "perturbed-actions", "--quantile", quantile)) == 0
        manifest, files = manifest_of(folder), sorted(folder.glob("*.npz"))
        found = manifest["totals"]
        assert found["drives"] == 9 and found["recorded"] == 3, "three of four episodes train, three drives of each"
        assert [entry["file"] for entry in manifest["episodes"]] == [file.name for file in files]
        assert found["kept_rows"] == sum(len(read_episode(file)) for file in files)
        assert found["kept_drives"] == len(files) == 9 - sum(found["rejected"].values())
        assert found["rejected_share"] == pytest.approx(1 - len(files) / 9, abs=1e-3)
        assert found["left_out_share"] == pytest.approx(1 - found["kept_rows"] / 180, abs=1e-3)
        assert {*manifest["calibration"]["limits"]} == {"surprise", "disagreement", "value_disagreement"}
    assert found["left_out_share"] > 0.3, "of recorded drives it would be about 0.7"
    assert f"{found['rejected_share']:.1%}" in capsys.readouterr().out


def test_without_labels_nobody_knows_what_the_expert_would_have_done(place, tmp_path, generous):
    assert main(command_line(place, tmp_path, "--labels", "none", "--episodes", "1")) == 0
    assert all(np.isnan(read_episode(file).expert_actions).all() for file in find_episodes(tmp_path))
    assert {json.loads(name.read_text())["source"] for name in (tmp_path / ".augmentation").glob("*.episode.json")} == {
        "episode_0.npz"
    }


def test_a_run_that_was_killed_ends_as_one_that_was_not(place, tmp_path, generous, monkeypatch, capsys):
    assert main(command_line(place, tmp_path / "whole")) == 0

    def killed(path, episode):
        if str(path).endswith("episode_1_imagined_002.npz"):
            (tmp_path / "part" / ".episode_1_imagined_002.npz.part-1").write_bytes(b"half of it")
            raise OSError("killed")
        return write_episode(path, episode)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_episode", killed)
        assert main(command_line(place, tmp_path / "part")) == 1
    assert len(list((tmp_path / "part").glob("*.npz"))) == 5 and not (tmp_path / "part" / "manifest.json").exists()
    capsys.readouterr()
    assert main(command_line(place, tmp_path / "part")) == 0
    assert "1 of them done already" in capsys.readouterr().err
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")


def test_a_signal_ends_it_in_order_and_other_options_do_not_continue_it(place, tmp_path, generous, monkeypatch, capsys):
    def signalled(path, episode):
        signal.raise_signal(signal.SIGTERM)
        return write_episode(path, episode)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "write_episode", signalled)
        assert main(command_line(place, tmp_path)) == 130
    assert "the same command continues" in capsys.readouterr().err and len(list(tmp_path.glob("*.npz"))) == 3
    assert main(command_line(place, tmp_path, "--seed", "4")) == 1
    assert "seed 0 → 4" in capsys.readouterr().err
    (tmp_path / "mine.txt").write_text("kept")
    assert main(command_line(place, tmp_path, "--seed", "4", "--resume", "none")) == 0
    assert (tmp_path / "mine.txt").exists()
    assert all(read_episode(file).meta["imagination"]["seed"] == 4 for file in find_episodes(tmp_path))


@pytest.mark.parametrize(
    "more, code, message",
    [
        (["--checkpoint", "nowhere.pt"], 1, "no checkpoint at nowhere.pt"),
        (["--data-path", "nowhere"], 1, "no folder nowhere"),
        (["--episodes", "9"], 1, "episodes is 9, but"),
        (["--quantile", "2"], 2, "quantile is 2.0, expected above 0 and at most 1"),
        (["--min-rows", "30"], 2, "min_rows is 30, expected at most horizon, 20"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_and_nothing_is_written(place, tmp_path, capsys, more, code, message):
    try:
        found = main(command_line(place, tmp_path / "out", *more))
    except SystemExit as end:
        found = end.code
    told = "".join(capsys.readouterr()).replace("\n", " ")
    assert found == code and "Traceback" not in told
    assert message in " ".join(told.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_recorded_episodes_are_not_written_among(place, tmp_path, capsys):
    assert main(command_line(place, place / "data")) == 1
    assert "holds the recorded episodes" in capsys.readouterr().err
    assert main(command_line(place, make_folder(tmp_path / "others", count=1))) == 1
    assert "episodes that are not from `augment`" in capsys.readouterr().err
    assert len(find_episodes(place / "data")) == 4 and len(find_episodes(tmp_path / "others")) == 1


def test_a_model_whose_training_diverged_is_refused(place, tmp_path, capsys):
    payload = torch.load(place / "model.pt", weights_only=True)
    payload["model"]["rssm.prior_net.0.weight"][0, 0] = torch.nan
    torch.save(payload, tmp_path / "bad.pt")
    assert main(command_line(place, tmp_path / "out", "--checkpoint", str(tmp_path / "bad.pt"))) == 1
    assert "its training diverged" in capsys.readouterr().err and not list((tmp_path / "out").glob("*.npz"))

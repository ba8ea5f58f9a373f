"""What must not be computed with is refused by every command that reads episodes, and what is doubtful is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
from make_episodes import make_episode, make_folder
from tiny_clones import SMALL
from tiny_training import TINY, flags, tiny_config
from wm_data.episodes import EpisodeError, write_episode
from wm_data.rewards import beyond, largest_return
from wm_training import EpisodeWindows, WorldModelTrainer, load_world_model, mix
from wm_training.augmentation.runner import Augmentation
from wm_training.commands import train, visualize
from wm_training.commands.augment import main as augment
from wm_training.commands.clone import main as clone
from wm_training.commands.export import main as export
from wm_training.commands.finetune_policy import main as finetune_policy
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset
from wm_training.data.notes import action_note
from wm_training.imagination.scorecard import plan_windows
from wm_training.imagination.visualize_options import WindowSettings
from wm_training.training.learner import Learner

ODD = {
    "rate": lambda e: replace(e, meta={**e.meta, "rate_hz": 10.0}),
    "cameras": lambda e: replace(e, observations=np.concatenate([e.observations] * 2, 1)),
    "vector": lambda e: replace(e, vector=np.zeros((len(e), 0), np.float32)),
    "camera": lambda e: replace(e, meta={**e.meta, "cameras": [{**e.meta["cameras"][0], "name": "rgb_left"}]}),
    "steer": lambda e: replace(e, meta={**e.meta, "max_steer_deg": 30.0}),
    "reward": lambda e: replace(e, meta={**e.meta, "reward": "driving-1"}),
}
WORDS = {
    "rate": "is at 10 Hz",
    "cameras": "has 2 cameras",
    "vector": "vector inputs none (its meta names speed",
    "camera": "is of the cameras rgb_left",
    "steer": "has max_steer_deg 30",
    "reward": "has the reward driving-1",
}


def usual(seed: int, rows: int = 40):
    episode = make_episode(rows, seed=seed, size=32)
    return replace(episode, meta={**episode.meta, "max_steer_deg": 70.0})


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with ``data`` (train and val), an untrained ``model.pt`` of it and a ``clone.onnx``; one folder with
    episodes of other meaning in val for each kind of them, one where all have it."""
    folder = tmp_path_factory.mktemp("place")
    for name in ("data", *ODD):
        for i in range(2):
            write_episode(folder / name / "train" / f"{i}.npz", usual(i))
        write_episode(folder / name / "val" / "v.npz", ODD.get(name, lambda e: e)(usual(8)))
    for name, change in ODD.items():
        for i in range(3):
            write_episode(folder / f"all {name}" / f"{i}.npz", change(usual(i)))
    WorldModelTrainer(tiny_config(folder)).save_checkpoint(folder / "model.pt")
    assert clone(clone_words(folder, folder / "data", folder / "clone.onnx")) == 0
    return folder


def clone_words(place, data, output):
    return [
        "--data-path",
        str(data),
        "--output",
        str(output),
        "--num-epochs",
        "1",
        "--batch-size",
        "8",
        "--warmup-steps",
        "2",
        *SMALL,
    ]


def command(name, place, data, tmp_path):
    """What runs the command on ``data``, which are others than those of model and clone."""
    model = ["--checkpoint", str(place / "model.pt"), "--data-path", str(data)]
    policy = ["--policy", str(place / "clone.onnx"), "--output", str(tmp_path / "o.onnx"), "--device", "cpu"]
    return {
        "train": lambda: train.main(flags(tiny_config(place, data_path=str(data), output_dir=str(tmp_path / "o")))),
        "clone": lambda: clone(clone_words(place, data, tmp_path / "o.onnx")),
        "finetune_policy": lambda: finetune_policy([*model, *policy]),
        "augment": lambda: augment([*model, "--output-dir", str(tmp_path / "o"), "--device", "cpu"]),
        "visualize": lambda: visualize.main([*model, "--output", str(tmp_path / "o"), "--device", "cpu"]),
        "export": lambda: export([*model, "--output", str(tmp_path / "o")]),
    }[name]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["train", "clone", "finetune_policy", "augment", "visualize", "export"])
def test_a_misfit_in_the_validation_split_is_refused_before_anything_is_computed(
    place, tmp_path, capsys, monkeypatch, name, odd
):
    monkeypatch.setattr(Learner, "update", None)
    monkeypatch.setattr(Augmentation, "_augment", None)
    assert command(name, place, place / odd, tmp_path)() == 1
    error = capsys.readouterr().err
    assert WORDS[odd] in error.splitlines()[-1] and "Traceback" not in error
    assert not any(tmp_path.rglob("*.*")), "something was written"


@pytest.mark.parametrize("odd", ["rate", "camera", "steer", "reward"])
@pytest.mark.parametrize("name", ["augment", "visualize", "export"])
def test_data_of_another_meaning_than_the_models_is_refused(place, tmp_path, capsys, name, odd):
    assert command(name, place, place / f"all {odd}", tmp_path)() == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert WORDS[odd] in error and "the training of the model" in error


def test_a_model_that_does_not_say_what_it_was_trained_on_takes_what_has_its_shape(place):
    model = load_world_model(place / "model.pt", "cpu")
    model.model.trained_on = {}
    assert model.fit_vector(place / "all rate").r2 is not None
    with pytest.raises(EpisodeError, match="1 cameras and 0 vector inputs, the model was trained with 1 and 1"):
        model.fit_vector(place / "all vector")


def test_others_trainers_get_the_same_refusal(tmp_path):
    make_folder(tmp_path / "a", count=2, rows=8)
    write_episode(tmp_path / "b" / "0.npz", ODD["rate"](make_episode(8, seed=5)))
    dreamt = make_episode(8, seed=6)
    write_episode(tmp_path / "dreams" / "0.npz", ODD["rate"](replace(dreamt, meta={**dreamt.meta, "imagined": True})))
    recorded = EpisodeWindows(tmp_path / "a", 4, validation_share=0.0)
    with pytest.raises(EpisodeError, match="dreams/0.npz is at 10 Hz"):
        mix(recorded, EpisodeWindows(tmp_path / "dreams", 4, validation_share=0.0))
    write_episode(tmp_path / "a" / "odd.npz", ODD["rate"](make_episode(8, seed=7)))
    with pytest.raises(EpisodeError, match="a/odd.npz is at 10 Hz"):
        EpisodeWindows(tmp_path / "a", 4, validation_share=0.0)


def several_drives(rows: int = 40, ends=(9, 20, 23)):
    """A file of several drives, as other tools write them: no ``terminals`` of its own."""
    episode = usual(3, rows)
    dones = episode.dones.copy()
    dones[list(ends)] = True
    return replace(episode, dones=dones, terminals=dones)


def test_no_window_runs_across_an_end_in_the_middle_of_a_file(tmp_path):
    whole = several_drives()
    write_episode(tmp_path / "e.npz", whole)
    config = WorldModelTrainConfig(**{**TINY, "sequence_length": 8, "validation_share": 0.0, "batch_size": 16})
    data = SequenceDataset(tmp_path, config)
    # Drives of rows 0 to 9, 10 to 20, 21 to 23 (too short) and 24 to 39: 10 + 11 + 16 rows train.
    assert [len(episode) for episode in data.episodes] == [10, 11, 3, 16] and data.first_rows == [0, 10, 21, 24]
    assert (data.rows, data.skipped, len(data.files)) == (37, 1, 4)
    firsts = set()
    for index in range(20):
        batch = data.batch(0, index)
        assert not batch.terminal[:, :-1].any(), "a window goes on behind an end"
        for actions, previous, first in zip(batch.action, batch.previous_action, batch.is_first, strict=True):
            row = int(np.flatnonzero((whole.actions == actions[0].numpy()).all(-1))[0])
            firsts.add(row)
            assert first.tolist() == [1.0] + [0.0] * 7
            before = np.zeros(3) if row in (0, 10, 24) else whole.actions[row - 1]
            assert np.array_equal(previous[0].numpy(), before), f"row {row} has the action of the drive before"
    assert firsts == {*range(0, 3), *range(10, 14), *range(24, 33)}
    # The scorecard has the same drives.
    windows = plan_windows(data.episodes, WindowSettings(context=3, horizon=5, frames=400))
    assert {window.episode for window in windows} == {0, 1, 3}


def test_drives_of_one_file_validate_together_and_are_counted(tmp_path, capsys):
    for i in range(2):
        write_episode(tmp_path / "data" / f"{i}.npz", several_drives(ends=(9, 19)) if i else usual(0))
    assert train.main([*flags(tiny_config(tmp_path)), "--dry-run"]) == 0
    said = capsys.readouterr().err
    assert "1 of 2 drives validate: 1\n" in said and "1 episode, 40 rows" in said and ", 3 for validation" in said


def test_augment_imagines_from_each_drive_of_a_file_and_says_where_it_began(place, tmp_path):
    for i in range(2):
        write_episode(tmp_path / "data" / f"{i}.npz", several_drives(ends=(19,)))
    write_episode(tmp_path / "data" / "2.npz", usual(1))
    words = [
        "--checkpoint",
        str(place / "model.pt"),
        "--data-path",
        str(tmp_path / "data"),
        "--quantile",
        "1",
        "--output-dir",
        str(tmp_path / "o"),
        "--num-augmentations",
        "1",
        "--starts",
        "first",
        "--horizon",
        "3",
        "--min-rows",
        "2",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    assert augment(words) == 0
    record = json.loads((tmp_path / "o" / ".augmentation" / "0.episode.json").read_text())
    assert [drive["start_row"] for drive in record["drives"]] == [0, 20]


@pytest.mark.parametrize(
    "rewards, terminal, discount, expected",
    [
        ([5000.0, 0.0], True, 0.5, 5000.0),
        ([1.0, 1.0], True, 0.5, 1.5),  # 1 + 0.5 * 1
        ([1.0, 1.0], False, 0.5, 2.0),  # it goes on: 1 / (1 - 0.5)
        ([-20.0] * 4, False, 0.99, 2000.0),
        ([3.0, -3.0] * 2, False, 0.0, 3.0),
    ],
)
def test_the_largest_return_is_that_of_the_data_going_on_as_it_does(rewards, terminal, discount, expected):
    episode = make_episode(len(rewards), terminal=terminal, size=32)
    found = largest_return(replace(episode, rewards=np.array(rewards, np.float32)), discount)
    assert found == pytest.approx(expected)


def test_rewards_and_returns_beyond_the_bins_are_named_with_the_setting(tmp_path, capsys):
    assert beyond(1000.0, 1000.0, 999.0, 0.9) is None
    assert "rewards of up to 5000 are beyond bin_limit 1000" in beyond(1000.0, 5000.0, 5e5, 0.99)
    for i in range(2):
        episode = usual(i)
        write_episode(tmp_path / "data" / f"{i}.npz", replace(episode, rewards=episode.rewards + 50.0))
    words = [*flags(tiny_config(tmp_path)), "--dry-run"]
    assert train.main(words) == 0
    line = next(line for line in capsys.readouterr().err.splitlines() if "bin_limit" in line)
    assert "discounted returns (discount 0.99) of up to 16" in line and line.endswith("train with --bin-limit 10000")
    for cure in (["--bin-limit", "10000"], ["--scalar-head", "mse"], ["--discount", "0.5"]):
        assert train.main([*words, *cure]) == 0
        assert "bin_limit" not in "".join(line for line in capsys.readouterr().err.splitlines() if "beyond" in line)


def test_actions_that_are_no_steer_and_pedals_are_named(tmp_path):
    def note() -> str | None:
        return action_note(*(SequenceDataset(tmp_path, tiny_config(tmp_path), split) for split in ("train", "val")))

    for i in range(3):
        write_episode(tmp_path / f"{i}.npz", usual(i))
    assert note() is None
    degrees = (usual(1).actions * np.array((40.0, 1.0, 1.0))).astype(np.float32)
    write_episode(tmp_path / "1.npz", replace(usual(1), actions=degrees))
    assert "actions of 1 of 3 episodes are out of range, those of 1.npz from" in note()


def test_the_spread_of_large_numbers_is_finite(tmp_path):
    for i, size in enumerate((1.0, 1e30)):
        episode = make_episode(40, seed=i, size=32)
        vector = np.full((40, 1), size, np.float32)
        write_episode(tmp_path / f"{i}.npz", replace(episode, vector=vector))
    mean, deviation = SequenceDataset(tmp_path, tiny_config(tmp_path, validation_share=0.0)).vector_statistics()
    assert mean == pytest.approx([5e29]) and deviation == pytest.approx([5e29])


@pytest.mark.parametrize(
    "meta",
    [
        {"cameras": ["rgb_front"]},
        {"cameras": [{"name": "a", "source_height": "60", "source_width": 80}]},
        {"vector": ["speed"]},
        {"vector": [{"name": "speed"}]},
        {"cameras": "front", "vector": 7},
        {"rate_hz": float("nan")},
    ],
)
def test_a_meta_that_does_not_tell_what_a_policy_is_given_is_refused_in_one_line(tmp_path, capsys, meta):
    for i in range(2):
        write_episode(tmp_path / "data" / f"{i}.npz", replace(usual(i), meta={**usual(i).meta, **meta}))
    assert clone(clone_words(tmp_path, tmp_path / "data", tmp_path / "clone.onnx")) == 1
    assert "write the episodes again" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "clone.onnx").exists()

import os

import pytest
from make_episodes import make_folder
from wm_training.cli import parse
from wm_training.config import WorldModelTrainConfig
from wm_training.train import TrainOptions, main


def test_the_seeds_defaults():
    config = WorldModelTrainConfig()
    expected = dict(
        state_dim=256, action_dim=3, hidden_dim=512, latent_dim=32, num_categories=32, deterministic_dim=256,
        stochastic_dim=32, batch_size=32, sequence_length=50, learning_rate=3e-4, weight_decay=1e-6, num_epochs=100,
        max_grad_norm=100.0, warmup_steps=1000, reconstruction_weight=1.0, kl_weight=1.0, kl_balance=0.8,
        reward_weight=1.0, value_weight=0.5, dynamics_weight=1.0, kl_free_bits=1.0, kl_anneal_steps=10000,
        imagination_horizon=15, num_imagination_samples=8,
    )  # fmt: skip
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize("first, second", [("state_dim", "deterministic_dim"), ("latent_dim", "stochastic_dim")])
def test_two_names_of_one_size_agree_and_a_conflict_is_refused(first, second):
    assert getattr(WorldModelTrainConfig(**{first: 40}), second) == 40
    assert getattr(WorldModelTrainConfig(**{second: 40}), first) == 40
    with pytest.raises(ValueError, match=f"{first} is 40 and {second} is 41"):
        WorldModelTrainConfig(**{first: 40, second: 41})


@pytest.mark.parametrize(
    "name, value",
    [("batch_size", 0), ("discount", 1.0), ("image_size", 63), ("kl_balance", 1.5), ("action_dim", 2),
     ("kl_weight", -1)],
)
def test_a_bad_value_is_refused_with_its_name_and_value(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        WorldModelTrainConfig(**{name: value})


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--no-such-flag", "1"], "no-such-flag"),
        (["--batch-size", "many"], "batch-size"),
        (["--batch-size", "0"], "batch_size is 0"),
    ],
)
def test_bad_flags_end_with_a_message_and_a_code(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code not in (0, None)
    assert words in capsys.readouterr().err + str(stop.value.code)


def test_the_seeds_command_line_is_understood():
    flags = (
        "--state-dim 256 --action-dim 3 --hidden-dim 512 --latent-dim 32 --batch-size 32 --sequence-length 50 "
        "--learning-rate 3e-4 --num-epochs 100 --kl-weight 1.0 --reconstruction-weight 1.0 --data-path D --output-dir O"
    )
    assert parse(TrainOptions, "", "train", flags.split()) == TrainOptions(data_path="D", output_dir="O")


def test_data_that_is_missing_empty_damaged_or_a_file_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    damaged = make_folder(tmp_path / "damaged", count=2, rows=60) / "episode_000001.npz"
    os.truncate(damaged, damaged.stat().st_size // 2)
    cases = [("missing", "no folder"), ("empty", "holds no"), ("file", "is a file"), ("damaged", "000001.npz is trunc")]
    for name, words in cases:
        assert main(["--data-path", str(tmp_path / name), "--output-dir", str(tmp_path / "out")]) == 1
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()

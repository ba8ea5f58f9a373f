"""Tiny training runs on small real episodes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import torch
from make_episodes import make_episode
from wm_data.episodes import write_episode
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.training.trainer import WorldModelTrainer

TINY = dict(
    state_dim=16,
    latent_dim=4,
    num_categories=4,
    hidden_dim=16,
    conv_depth=4,
    image_size=32,
    return_bins=9,
    imagination_horizon=3,
    batch_size=4,
    sequence_length=8,
    num_epochs=2,
    warmup_steps=2,
    kl_anneal_steps=4,
    learning_rate=1e-3,
    validation_share=0.25,
    validation_frames=40,
    video_epochs=0,
    log_every=1,
    threads=1,
    policy_start_step=3,
    imagination_starts=8,
    precision="float32",
)
WITH_POLICY = dict(policy_learning=True, latent="categorical")


def tiny_config(folder: Path, **changes) -> WorldModelTrainConfig:
    """Settings of a run in ``folder``/out on four episodes in ``folder``/data, which are made if they are not there."""
    data = folder / "data"
    if not data.exists():
        for i in range(4):
            write_episode(data / f"episode_{i}.npz", make_episode(40, seed=i, size=32))
    places = dict(data_path=str(data), output_dir=str(folder / "out"))
    return WorldModelTrainConfig(**{**TINY, **places, **changes})


def flags(config: WorldModelTrainConfig) -> list[str]:
    """The command line of ``train`` that asks for ``config``."""
    default, result = WorldModelTrainConfig(), []
    for field in fields(config):
        value = getattr(config, field.name)
        if value != getattr(default, field.name):
            flag = "--" + field.name.replace("_", "-")
            if isinstance(value, bool):
                result.append(flag if value else flag.replace("--", "--no-", 1))
            else:
                result += [flag, str(value)]
    return result


def start(command: list[str], log: Path, **environment: str) -> subprocess.Popen:
    """Run a command in a process group of its own; what it prints goes to ``log``."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", **environment}
    with open(log, "ab") as stream:
        return subprocess.Popen(command, env=variables, stdout=stream, stderr=stream, start_new_session=True)


def train_command(config: WorldModelTrainConfig) -> list[str]:
    """The command that trains with ``config`` in one process."""
    return [sys.executable, "-m", "wm_training.commands.train", *flags(config)]


def logged_updates(config: WorldModelTrainConfig) -> int:
    """Updates that the run has written to its table so far."""
    table = Path(config.output_dir) / "updates.csv"
    return max(0, len(table.read_bytes().splitlines()) - 1) if table.exists() else 0


def wait_until(condition: Callable[[], bool], process: subprocess.Popen, log: Path, deadline_s: float = 90.0) -> None:
    """Wait for ``condition``; fails with the log when the process ends before, or after ``deadline_s``."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert process.poll() is None, f"ended with {process.returncode}: {log.read_text()}"
        assert time.monotonic() < end, f"nothing after {deadline_s} s: {log.read_text()}"
        time.sleep(0.01)


def state(trainer: WorldModelTrainer) -> dict[str, torch.Tensor]:
    """Copies of weights, buffers and the optimiser's moments, by name."""
    moments = trainer.learner.optimizer.state_dict()["state"]
    named = {f"moment {i} {name}": tensor for i, found in moments.items() for name, tensor in found.items()}
    return {name: tensor.clone() for name, tensor in {**trainer.world_model.state_dict(), **named}.items()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    """Whether two states are equal, bit for bit."""
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def largest_difference(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    """Between any two numbers of two states; relative where they are above 1, as the optimiser's moments are."""
    assert one.keys() == two.keys()
    pairs = [(one[name].double(), two[name].double()) for name in one]
    return max(float(((a - b).abs() / a.abs().clamp(min=1.0)).max()) for a, b in pairs)


def read_state(config: WorldModelTrainConfig, name: str = "last.pt") -> dict[str, torch.Tensor]:
    """The state that a run saved."""
    trainer = WorldModelTrainer(config)
    trainer.load_checkpoint(Path(config.output_dir) / name)
    return state(trainer)

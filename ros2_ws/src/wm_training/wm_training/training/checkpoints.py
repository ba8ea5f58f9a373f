"""Checkpoints: written atomically, read without executing code from them."""

import json
import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from wm_bundle.files import replacing
from wm_data.agreement import Traits

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.errors import TrainingError
from wm_training.model.world_model import WorldModel

VERSION = 3
_SINCE = {"vector_weight": 0.0}  # settings of later versions, as models without them were trained
_EPOCH_FILE = re.compile(r"checkpoint_epoch_(\d+)\.pt")


def write_checkpoint(path: str | os.PathLike, payload: dict[str, Any]) -> None:
    """Write a checkpoint; the version is added. Raises OSError."""
    with replacing(path) as partial:
        torch.save({"version": VERSION, **payload}, partial)


def read_checkpoint(path: str | os.PathLike, device: torch.device | str = "cpu") -> dict[str, Any]:
    """A checkpoint's dictionary. Raises TrainingError when it is missing, damaged or of another version."""
    try:
        payload = torch.load(Path(path).expanduser(), map_location=device, weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"no checkpoint at {path}") from None
    except IsADirectoryError:
        raise TrainingError(f"{path} is a folder, expected a checkpoint, such as its best_model.pt") from None
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise TrainingError(
            f"checkpoint {path} is damaged or not a checkpoint of this project ({type(error).__name__})"
        ) from None
    version = payload.get("version") if isinstance(payload, dict) else None
    if version in (1, 2):
        raise TrainingError(
            f"checkpoint {path} was made by an older version of this project, with another model: train again"
        )
    if version != VERSION:
        raise TrainingError(f"checkpoint {path} is of version {version}, expected version {VERSION} of this project")
    return payload


def read_world_model(path: str | os.PathLike, device: torch.device | str = "cpu") -> tuple[WorldModel, dict[str, Any]]:
    """The model of a checkpoint, in evaluation mode, and the checkpoint's dictionary. Raises TrainingError."""
    payload = read_checkpoint(path, device)
    try:
        config = config_of(payload, path)
        optional = payload.get("vector_gaps", ()), payload.get("reward_terms", ())
        model = WorldModel(config, payload["channels"], payload["vector_size"], *optional)
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"checkpoint {path} holds no usable configuration: {error}") from None
    load_weights(model, payload, path)
    model.trained_on = json.loads(payload.get("meta", "{}"))
    return model.to(device).eval(), payload


def config_of(payload: dict[str, Any], path: str | os.PathLike) -> WorldModelTrainConfig:
    """The settings in a checkpoint, of this or an earlier version. Raises ConfigurationError."""
    told = payload.get("config")
    if isinstance(told, dict) and payload.get("vector_size"):
        told = _SINCE | told
    return WorldModelTrainConfig.from_dict(told, f"checkpoint {path}")


def traits_of_checkpoint(path: str | os.PathLike, payload: dict[str, Any], config: WorldModelTrainConfig) -> Traits:
    """The traits of a checkpoint's training data."""
    size, meta = (config.image_size, config.image_size), json.loads(payload.get("meta", "{}"))
    cameras, vector = payload["channels"] // 3, payload["vector_size"]
    return Traits(f"what checkpoint {path} was trained on", size, cameras, vector, config.action_dim, meta)


def load_weights(model: nn.Module, payload: dict[str, Any], path: str | os.PathLike) -> None:
    """Put a checkpoint's weights into ``model``. Raises TrainingError when they are of another model."""
    try:
        model.load_state_dict(payload["model"])
    except (KeyError, RuntimeError) as error:
        raise _another_model(path, error) from None


def load_optimizer(optimizer: torch.optim.Optimizer, payload: dict[str, Any], path: str | os.PathLike) -> None:
    """Put a checkpoint's moments into ``optimizer``. Raises TrainingError when they are of another model."""
    try:
        optimizer.load_state_dict(payload["optimizer"])
    except (KeyError, ValueError) as error:
        raise _another_model(path, error) from None
    # The fused AdamW reads weights and moments in memory order and does not check strides: moments saved with
    # channels_last would silently be permuted in a run without it.
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter).copy_(value)


def _another_model(path: str | os.PathLike, error: Exception) -> TrainingError:
    reason = " ".join(line.strip() for line in str(error).splitlines()[:2])
    return TrainingError(f"checkpoint {path} is of another model than this configuration: {reason}")


def prune(folder: Path, keep: int) -> None:
    """Delete all but the ``keep`` checkpoint_epoch_N.pt of the highest N."""
    found = {int(match[1]): file for file in folder.iterdir() if (match := _EPOCH_FILE.fullmatch(file.name))}
    for epoch in sorted(found)[:-keep]:
        found[epoch].unlink(missing_ok=True)


def description(config: WorldModelTrainConfig, model: WorldModel, vector_size: int, meta: dict) -> dict[str, Any]:
    """A checkpoint's description of its model, besides the weights."""
    return {
        "config": asdict(config),
        "channels": model.channels,
        "vector_size": vector_size,
        "vector_gaps": list(model.gaps),
        "reward_terms": list(model.terms),
        "meta": json.dumps(meta),
    }

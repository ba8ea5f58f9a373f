"""Speed of NM512/dreamerv3-torch's world model, in training and imagination, from a clone provided by the user.

It runs its own code with its own ``defaults`` and the sizes of the comparison, on random data of the same shapes.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

from benchmarks.children import child_main
from benchmarks.errors import BenchmarkError
from benchmarks.timing import timed
from benchmarks.training import peak_memory_gb

_FILES = ("configs.yaml", "models.py", "networks.py", "tools.py")
_WARM_UP = 1
_BUDGET_S = 30.0


def check_clone(path: Path) -> None:
    """Raise BenchmarkError unless ``path`` is a clone of dreamerv3-torch."""
    missing = [name for name in _FILES if not (path / name).is_file()]
    if missing:
        raise BenchmarkError(f"{path} has no {', '.join(missing)}, expected a clone of NM512/dreamerv3-torch")


def _configuration(path: Path, sizes: dict) -> SimpleNamespace:
    import torch
    import yaml

    values = _numbers(yaml.safe_load((path / "configs.yaml").read_text(encoding="utf-8"))["defaults"])
    values |= {
        "device": "cuda:0" if torch.cuda.is_available() else "cpu",
        "compile": False,  # its training step is never compiled: only calls of the module itself are
        "num_actions": 3,
        "dyn_deter": sizes["state_dim"],
        "dyn_hidden": sizes["hidden_dim"],
        "dyn_stoch": sizes["latent_dim"],
        "dyn_discrete": sizes["num_categories"],
        "units": sizes["hidden_dim"],
    }
    if "batch_size" in sizes:  # of training
        values |= {"batch_size": sizes["batch_size"], "batch_length": sizes["sequence_length"]}
    for part in ("encoder", "decoder"):
        values[part]["cnn_depth"] = sizes["conv_depth"]
    return SimpleNamespace(**values)


def _numbers(values: dict) -> dict:
    """YAML 1.1 reads 1e4 as a string; the peer's own reader parses it as a number."""

    def number(value):
        if isinstance(value, dict):
            return _numbers(value)
        try:
            return float(value) if isinstance(value, str) else value
        except ValueError:
            return value

    return {name: number(value) for name, value in values.items()}


def _batch(sizes: dict) -> dict:
    import numpy as np

    shape, size = (sizes["batch_size"], sizes["sequence_length"]), sizes["image_size"]
    random = np.random.default_rng(0)
    is_first = np.zeros(shape, np.float32)
    is_first[:, 0] = 1.0
    return {
        "image": random.integers(0, 256, (*shape, size, size, 3), dtype=np.uint8),
        "action": random.uniform(-1.0, 1.0, (*shape, 3)).astype(np.float32),
        "reward": random.normal(size=shape).astype(np.float32),
        "is_first": is_first,
        "is_terminal": np.zeros(shape, np.float32),
    }


def _world_model(path: Path, sizes: dict):
    """The peer's module ``models``, its configuration, and its world model built from it."""
    sys.path.insert(0, str(path))
    try:
        import models  # the peer's
    except ImportError as error:
        raise BenchmarkError(f"the clone {path} cannot be imported ({error}): install what it needs") from None
    picture = SimpleNamespace(shape=(sizes["image_size"], sizes["image_size"], 3))
    configuration = _configuration(path, sizes)
    return models, configuration, models.WorldModel(SimpleNamespace(spaces={"image": picture}), None, 0, configuration)


def _train(settings: dict) -> dict:
    sizes = settings["sizes"]
    _, _, world_model = _world_model(Path(settings["path"]), sizes)
    batch = _batch(sizes)
    # It reads its losses, so the GPU has finished when it returns.
    seconds = timed(lambda: world_model._train(dict(batch)), _WARM_UP + settings["updates"], _BUDGET_S)
    return {
        "seconds": seconds[_WARM_UP:] or seconds,
        "parameters": sum(p.numel() for p in world_model.parameters()),
        "peak_memory_gb": peak_memory_gb(),
    }


def _imagine(settings: dict) -> dict:
    """Its own roll-out of given actions, then its reward, continue and value heads on all states reached."""
    import torch

    models, configuration, world_model = _world_model(Path(settings["path"]), settings["sizes"])
    value = models.ImagBehavior(configuration, world_model).value
    dynamics, heads = world_model.dynamics, world_model.heads
    candidates, horizon = settings["candidates"], settings["horizon"]
    actions = 2.0 * torch.rand(candidates, horizon, 3) - 1.0
    with torch.no_grad():
        start = dynamics.initial(candidates)

        def imagine():
            features = dynamics.get_feat(dynamics.imagine_with_action(actions, start))
            return heads["reward"](features).mode(), heads["cont"](features).mean, value(features).mode()

        seconds = timed(imagine, _WARM_UP + settings["calls"], _BUDGET_S)
    return {
        "seconds": seconds[_WARM_UP:] or seconds,
        "candidates": candidates,
        "horizon": horizon,
        "threads": settings["threads"],
    }


def _child(settings: dict) -> dict:
    import torch

    check_clone(Path(settings["path"]))
    torch.set_num_threads(settings["threads"])
    return {"train": _train, "imagine": _imagine}[settings["what"]](settings)


if __name__ == "__main__":
    sys.exit(child_main(_child))

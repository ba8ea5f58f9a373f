"""A real bundle of an untrained, tiny world model, for tests that need one."""

import shutil
import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from wm_bundle import BundleManifest, CameraSpec, ImageSpec, LatentSpec, VectorSpec, load_bundle, write_bundle
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.exporting.graphs import export_graphs
from wm_training.model.world_model import WorldModel

TINY = WorldModelTrainConfig(
    state_dim=16,
    latent_dim=4,
    hidden_dim=16,
    conv_depth=4,
    image_size=64,
    imagination_horizon=5,
    return_bins=9,
    sequence_length=8,
    batch_size=4,
)


def tiny_model(seed: int = 0, cameras: int = 1, gaps=(), terms=(), **changes) -> WorldModel:
    """An untrained model whose heads say something other than zero; ``changes`` replace fields of TINY."""
    torch.manual_seed(seed)
    model = WorldModel(replace(TINY, **changes), 3 * cameras, 1, gaps, terms)
    for head in (model.reward, model.value):
        for member in head.members:
            torch.nn.init.normal_(member.net[-1].weight, std=0.5)
    for head in (model.vector, model.reward_terms):
        if head is not None:
            torch.nn.init.normal_(head.net[-1].weight, std=0.5)
    return model.eval()


@lru_cache
def _exported(cameras: int, throttle: float, imagines_vector: bool) -> dict[str, Path]:
    model = tiny_model(cameras=cameras, vector_weight=float(imagines_vector))
    if throttle:
        layer = model.actor.net[-1]  # mean of steer and longitudinal, then their widths
        torch.nn.init.zeros_(layer.weight)
        layer.bias.data = torch.tensor([0.0, torch.atanh(torch.tensor(throttle)), -5.0, -5.0])
    return export_graphs(model, Path(tempfile.mkdtemp(prefix="tiny_bundle_")))


def make_tiny_bundle(
    folder: Path, cameras: tuple[str, ...] = ("rgb_front",), throttle: float = 0.0, **overrides
) -> Path:
    """Write a bundle into ``folder``; ``overrides`` replace fields of its manifest. Returns the folder.

    With ``throttle`` its actor goes straight ahead with it, whatever it sees; without, it does hardly anything.
    ``imagines_vector=True`` among the overrides gives imagine.onnx the output ``vector``, some number of m/s."""
    manifest = BundleManifest(
        model_id="tiny-test",
        image=ImageSpec(64, 64, tuple(CameraSpec(name, 96, 96) for name in cameras)),
        vector=(VectorSpec("speed", "m/s", 0.0, 1.0),),
        control_period_s=0.08,
        latent=LatentSpec("gaussian", TINY.state_dim, TINY.latent_dim),
        horizon=TINY.imagination_horizon,
        discount=TINY.discount,
        reward_name="step_result",
        surprise_threshold=1e6,
    )
    files = _exported(len(cameras), throttle, bool(overrides.get("imagines_vector")))
    return write_bundle(folder, replace(manifest, **overrides), files).path


def damage(folder: Path, name: str) -> None:
    """Flip one byte in the middle of a file of the bundle at ``folder``."""
    file = folder / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def copy_bundle(source: Path, destination: Path) -> Path:
    """A writable copy of a bundle."""
    shutil.copytree(source, destination)
    return load_bundle(destination).path

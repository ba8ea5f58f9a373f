"""Bundles of models that have learned nothing, at any sizes: how fast a model is does not depend on what it says."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from wm_bundle import (
    BUNDLE_FILES,
    Bundle,
    BundleManifest,
    CameraSpec,
    ImageSpec,
    LatentSpec,
    VectorSpec,
    load_bundle,
    write_bundle,
)
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.exporting.graphs import export_graphs
from wm_training.exporting.quantization import quantize
from wm_training.model.networks import mlp
from wm_training.model.world_model import WorldModel

# What of a training's configuration decides how much there is to compute.
_SIZES = (
    "state_dim",
    "hidden_dim",
    "latent",
    "latent_dim",
    "num_categories",
    "gru_blocks",
    "conv_depth",
    "image_size",
    "return_bins",
    "scalar_head",
    "ensemble_size",
)


def sizes_of(bundle: Path) -> dict:
    """The sizes a bundle's model was trained with, as ``write_untrained`` takes them."""
    manifest = load_bundle(bundle).manifest
    config = manifest.provenance.get("config", {})
    return {name: config[name] for name in _SIZES if name in config}


def write_untrained(folder: Path, sizes: dict, horizon: int, head_layers: int = 1) -> Bundle:
    """Write a bundle into ``folder``. ``sizes`` are fields of WorldModelTrainConfig; ``head_layers`` hidden layers of
    the heads for reward, value and continue."""
    torch.manual_seed(0)
    config = WorldModelTrainConfig(**sizes, imagination_horizon=horizon)
    model = WorldModel(config, channels=3, vector_size=1)
    for head in (*model.reward.members, *model.value.members):
        head.net = _deeper(head.net, config, head_layers)
    model.continues.net = _deeper(model.continues.net, config, head_layers)
    folder.mkdir(parents=True)
    files = export_graphs(model.eval(), folder)
    manifest = BundleManifest(
        model_id="untrained",
        image=ImageSpec(config.image_size, config.image_size, (CameraSpec("rgb_front", 96, 96),)),
        vector=(VectorSpec("speed", "m/s", 0.0, 1.0),),
        control_period_s=0.08,
        latent=LatentSpec(config.latent, config.state_dim, config.stochastic_size),
        horizon=horizon,
        discount=config.discount,
        reward_name="none",
        surprise_threshold=1e9,  # everything surprises it
        provenance={"precision": "float32"},
    )
    return write_bundle(folder / "bundle", manifest, files)


def write_reduced(folder: Path, bundle: Bundle) -> Bundle:
    """A copy of ``bundle`` with imagine.onnx in int8."""
    folder.mkdir(parents=True)
    files = {name: bundle.file(name) for name in BUNDLE_FILES}
    files["imagine.onnx"] = folder / "imagine.onnx"
    quantize(bundle.file("imagine.onnx"), files["imagine.onnx"])
    manifest = replace(bundle.manifest, provenance=bundle.manifest.provenance | {"precision": "int8"})
    return write_bundle(folder / "bundle", manifest, files)


def _deeper(net: nn.Sequential, config: WorldModelTrainConfig, layers: int) -> nn.Sequential:
    return mlp(config.belief_size, config.hidden_dim, net[-1].out_features, layers)

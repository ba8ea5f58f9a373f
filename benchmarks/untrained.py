"""Bundles of untrained models of any size: a model's speed does not depend on its weights."""

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

# The fields of a training's configuration that determine the amount of computation.
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
    "vector_weight",
)


def sizes_of(bundle: Path) -> dict:
    """The sizes of a bundle's model, in the form for ``write_untrained``."""
    manifest = load_bundle(bundle).manifest
    config = {"vector_weight": 0.0} | manifest.provenance.get("config", {})  # earlier versions had no such head
    return {name: config[name] for name in _SIZES if name in config}


def write_untrained(folder: Path, sizes: dict, horizon: int, head_layers: int = 1) -> Bundle:
    """Write a bundle to ``folder``. ``sizes`` are fields of WorldModelTrainConfig; ``head_layers`` is the number of
    hidden layers of the reward, value and continue heads."""
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
        imagines_vector=model.vector is not None,
        surprise_threshold=1e9,  # so that no frame exceeds it
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

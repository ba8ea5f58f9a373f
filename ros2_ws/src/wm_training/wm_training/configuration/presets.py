"""Ready-made settings for kinds of data sets. Fields that a preset does not set keep their defaults.

``carla`` and ``nuscenes`` contain every figure of their source's recommendation, even if it equals the default.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

PresetName = Literal["carla", "nuscenes", "carracing", "debug"]


def _preset(**values: Any) -> Mapping[str, Any]:
    return MappingProxyType(values)


PRESETS: Mapping[PresetName, Mapping[str, Any]] = MappingProxyType(
    {
        # Driving in CARLA at 25 Hz: windows of 2 s, plans of 1 s. A lower KL weight is steadier at the beginning.
        "carla": _preset(
            state_dim=256,
            action_dim=3,
            hidden_dim=512,
            latent_dim=32,
            image_size=64,
            batch_size=32,
            sequence_length=50,
            learning_rate=3e-4,
            num_epochs=100,
            reconstruction_weight=1.0,
            kl_weight=0.5,
            reward_weight=1.0,
            imagination_horizon=25,
        ),
        # Real drives with six cameras at 20 Hz: windows of 1 s, larger pictures, a larger model, smaller batches.
        "nuscenes": _preset(
            state_dim=512,
            action_dim=3,
            hidden_dim=1024,
            latent_dim=64,
            image_size=128,
            num_cameras=6,
            batch_size=16,
            sequence_length=20,
            learning_rate=1e-4,
            num_epochs=200,
        ),
        # The built-in simulator at 12.5 Hz on a processor without GPU: a small model, and few updates in all, so a
        # short warm-up. Plans of 1 s; the discount looks 2.7 s ahead (1 / (1 - 0.97) steps). docs/experiments.md has
        # the effect of the rest.
        "carracing": _preset(
            hidden_dim=256,
            latent="gaussian",
            conv_depth=16,
            batch_size=16,
            sequence_length=32,
            learning_rate=6e-4,
            num_epochs=50,
            warmup_steps=100,
            kl_anneal_steps=300,
            discount=0.97,
            imagination_horizon=12,
        ),
        # Seconds on a processor: tests that data, code and machine work together, not what a model can learn.
        "debug": _preset(
            state_dim=32,
            hidden_dim=32,
            latent_dim=8,
            conv_depth=4,
            return_bins=15,
            device="cpu",
            threads=1,
            batch_size=4,
            sequence_length=8,
            learning_rate=1e-3,
            num_epochs=2,
            warmup_steps=5,
            kl_anneal_steps=10,
            imagination_horizon=5,
            num_imagination_samples=2,
            policy_start_step=5,
            imagination_starts=8,
            validation_frames=64,
            log_every=1,
            video_epochs=1,
        ),
    }
)

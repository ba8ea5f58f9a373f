from typing import get_args

import pytest
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.configuration.layers import build
from wm_training.configuration.presets import PRESETS, PresetName


@pytest.mark.parametrize(
    "preset, figures",
    [
        (
            "carla",
            dict(
                state_dim=256,
                action_dim=3,
                hidden_dim=512,
                latent_dim=32,
                batch_size=32,
                sequence_length=50,
                learning_rate=3e-4,
                num_epochs=100,
                reconstruction_weight=1.0,
                kl_weight=0.5,
                reward_weight=1.0,
                imagination_horizon=25,
                image_size=64,
            ),
        ),
        (
            "nuscenes",
            dict(
                state_dim=512,
                action_dim=3,
                hidden_dim=1024,
                latent_dim=64,
                batch_size=16,
                sequence_length=20,
                learning_rate=1e-4,
                num_epochs=200,
                image_size=128,
                num_cameras=6,
            ),
        ),
        (
            "carracing",
            dict(
                hidden_dim=256,
                conv_depth=16,
                latent="gaussian",
                batch_size=16,
                sequence_length=32,
                num_epochs=50,
                learning_rate=6e-4,
                warmup_steps=100,
                kl_anneal_steps=300,
                discount=0.97,
                imagination_horizon=12,
            ),
        ),
    ],
)
def test_a_preset_is_the_recommendation_and_else_the_defaults(preset, figures):
    assert build(PRESETS[preset]) == WorldModelTrainConfig(**figures)


def test_both_names_of_a_size_follow_the_preset():
    config = build(PRESETS["nuscenes"])
    assert (config.deterministic_dim, config.stochastic_dim) == (512, 64)


def test_every_preset_can_be_chosen_and_cannot_be_changed():
    assert set(PRESETS) == set(get_args(PresetName))
    for values in PRESETS.values():
        build(values)
        with pytest.raises(TypeError):
            values["batch_size"] = 1

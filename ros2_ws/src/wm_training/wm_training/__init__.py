"""Episodes, world model, trainer and export.

The names below are imported on first use, so that `collect`, which needs no torch, starts without loading it.
"""

import importlib

from wm_data.conversion.sources import SOURCES

_PUBLIC = {
    "Episode": "wm_data.episodes",
    "EpisodeError": "wm_data.episodes",
    "read_episode": "wm_data.episodes",
    "write_episode": "wm_data.episodes",
    "ConversionError": "wm_data.errors",
    **{f"convert_{source}": "wm_data.conversion.api" for source in SOURCES},
    "WorldModelGuidedPolicy": "wm_training.guidance.guided_policy",
    "WorldModelTrainConfig": "wm_training.configuration.config",
    "SequenceDataset": "wm_training.data.dataset",
    "EpisodeWindows": "wm_training.data.mixing",
    "mix": "wm_training.data.mixing",
    "WorldModel": "wm_training.model.world_model",
    "WorldModelTrainer": "wm_training.training.trainer",
    "DrivingSettings": "wm_training.api",
    "Filtered": "wm_training.api",
    "ImaginedDriving": "wm_training.api",
    "ImaginedDrivingVector": "wm_training.api",
    "Observations": "wm_training.api",
    "PretrainedWorldModel": "wm_training.api",
    "load_world_model": "wm_training.api",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'wm_training' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)

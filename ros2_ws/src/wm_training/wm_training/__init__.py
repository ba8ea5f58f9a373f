"""Episodes, world model, trainer and export.

The names below are imported on first use, so that `collect`, which needs no torch, starts without loading it.
"""

import importlib

_PUBLIC = {
    "Episode": "data.episodes",
    "EpisodeError": "data.episodes",
    "read_episode": "data.episodes",
    "write_episode": "data.episodes",
    "ConversionError": "conversion.errors",
    "convert_rosbag": "conversion.api",
    "convert_nuscenes": "conversion.api",
    "convert_kitti": "conversion.api",
    "convert_waymo": "conversion.api",
    "convert_carla": "conversion.api",
    "WorldModelTrainConfig": "config",
    "SequenceDataset": "data.dataset",
    "WorldModel": "model.world_model",
    "WorldModelTrainer": "training.trainer",
    "load_world_model": "training.checkpoints",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'wm_training' has no attribute '{name}'")
    return getattr(importlib.import_module(f"wm_training.{_PUBLIC[name]}"), name)

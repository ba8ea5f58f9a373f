"""The public Python API: a trained world model that observes, imagines and decodes, and environments inside it.

docs/imagination_for_others.md shows it; everything here can also be imported from ``wm_training`` itself. Importing
this registers ``WorldModelDriving-v0`` with gymnasium: ``gymnasium.make("wm_training.api:WorldModelDriving-v0", …)``.
"""

import gymnasium

from wm_training.api.drives import DrivingSettings
from wm_training.api.environments import ENVIRONMENT_ID, ImaginedDriving, ImaginedDrivingVector
from wm_training.api.filtering import Filtered
from wm_training.api.observations import Observations
from wm_training.api.pretrained import PretrainedWorldModel, load_world_model

__all__ = [
    "DrivingSettings",
    "Filtered",
    "ImaginedDriving",
    "ImaginedDrivingVector",
    "Observations",
    "PretrainedWorldModel",
    "load_world_model",
]

gymnasium.register(
    ENVIRONMENT_ID,
    entry_point="wm_training.api.environments:ImaginedDriving",
    vector_entry_point="wm_training.api.environments:ImaginedDrivingVector",
)

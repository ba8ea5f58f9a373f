"""Notes on a training folder, for display before the first update."""

import numpy as np
from wm_bundle import ACTION_HIGH, ACTION_LOW
from wm_data.agreement import notes
from wm_data.rewards import beyond, largest_return
from wm_data.splits import drives_of, name_of_drive

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset

SHOWN = 6
_ROUNDING = 1e-3


def data_notes(train: SequenceDataset, val: SequenceDataset) -> list[str]:
    """Notes on the two splits: traits assumed equal, and the validation drives."""
    found = [*notes([*train.traits, *val.traits]), validation_note(train, val), action_note(train, val)]
    return [line for line in found if line]


def action_note(*splits: SequenceDataset) -> str | None:
    """A note if actions are not steer and pedals within their limits (angles, say); else None."""
    both = [pair for data in splits for pair in zip(data.files, data.episodes, strict=True)]
    pairs = [(file, episode.actions) for file, episode in both]
    odd = [(file, actions) for file, actions in pairs if _beyond_limits(actions)]
    if not odd:
        return None
    file, actions = odd[0]
    return (
        f"actions of {len(odd)} of {len(pairs)} episodes are out of range, those of {file.name} from {actions.min():g} "
        f"to {actions.max():g}: expected a steer from -1 to 1, throttle and brake from 0 to 1"
    )


def _beyond_limits(actions: np.ndarray) -> bool:
    if actions.shape[1] != len(ACTION_LOW):
        return False
    return bool((np.abs(actions - np.clip(actions, ACTION_LOW, ACTION_HIGH)) > _ROUNDING).any())


def validation_note(train: SequenceDataset, val: SequenceDataset) -> str:
    """The validation drives, and whether they are separate from the training drives."""
    own = len(train.files) - train.imagined
    both = [*dict.fromkeys([*train.files[:own], *val.files])]
    drives, validating = drives_of(both), validating_drives(val)
    if not validating:
        only = f"the only drive is {name_of_drive(drives[0])}" if len(drives) == 1 else "validation_share is 0"
        return f"nothing validates: {only}; the newest model counts as the best"
    shown = ", ".join(validating[:SHOWN]) + (f" and {len(validating) - SHOWN} more" if len(validating) > SHOWN else "")
    text = f"{len(validating)} of {len(drives)} drives validate: {shown}"
    torn = [drive for drive in drives if {*drive} & {*val.files} and {*drive} - {*val.files}]
    if torn:
        text += f"; {name_of_drive(torn[0])} lies in train/ and in val/: what validates was partly trained on"
    return text


def validating_drives(val: SequenceDataset) -> list[str]:
    """The drives of a validation split, by their names."""
    return [name_of_drive(drive) for drive in drives_of(dict.fromkeys(val.files))]


def reward_note(config: WorldModelTrainConfig, *splits: SequenceDataset) -> str | None:
    """A note if rewards or returns exceed the range of the model's heads; else None."""
    if config.scalar_head != "two-hot":
        return None
    episodes = [episode for data in splits for episode in data.episodes]
    largest = max((float(abs(episode.rewards).max()) for episode in episodes), default=0.0)
    returns = max((largest_return(episode, config.discount) for episode in episodes), default=0.0)
    return beyond(config.bin_limit, largest, returns, config.discount)

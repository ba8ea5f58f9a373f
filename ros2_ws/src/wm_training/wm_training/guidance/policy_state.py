"""The trainable weights of a policy file: stored next to it by `clone` and `finetune_policy`."""

from pathlib import Path
from typing import Any, NamedTuple

from wm_data.episodes import EpisodeError

from wm_training.cloning.clone_options import CloneOptions
from wm_training.cloning.data import CloneData
from wm_training.cloning.policy import ClonePolicy
from wm_training.cloning.policy_trainer import BEST
from wm_training.errors import TrainingError
from wm_training.training import checkpoints


class PolicyState(NamedTuple):
    """Weights, and the settings of their clone."""

    path: Path
    settings: dict[str, Any]
    payload: dict[str, Any]

    def build(self, data: CloneData) -> ClonePolicy:
        """The policy with its weights, on the CPU. Raises TrainingError where they do not match the data's inputs."""
        policy = ClonePolicy(
            data.config, data.train.channels, data.train.vector_size, self.settings.get("previous_action", False)
        )
        checkpoints.load_weights(policy, self.payload, self.path)
        return policy.eval()


def read_state(given: str | Path) -> PolicyState:
    """The state of a policy: ``given`` is its *.onnx or its best_model.pt. Raises TrainingError."""
    path = Path(given).expanduser()
    if path.suffix == ".onnx":
        beside = path.with_suffix(".training") / BEST
        if not beside.is_file():
            raise TrainingError(
                f"policy {path}: expected its trainable weights in {beside}, found nothing there; give a policy with "
                f"the .training folder that `ros2 run wm_training clone` left beside it"
            )
        path = beside
    payload = checkpoints.read_checkpoint(path)
    settings = payload.get("settings")
    if not isinstance(settings, dict) or "model" not in payload:
        raise TrainingError(
            f"policy {path}: expected the best_model.pt of a clone, found {', '.join(payload)}; a world model's "
            f"checkpoint goes into --checkpoint"
        )
    return PolicyState(path, settings, payload)


def open_data(state: PolicyState, data_path: str, output: str, name: str, labelled: bool, share: float) -> CloneData:
    """The episodes as the clone of ``state`` read them, all of them. Raises EpisodeError, TrainingError."""
    changed = {"name": name, "validation_share": share, "episodes": 0}
    # Without labels in the loss none are needed; every episode has the driven actions.
    changed |= {} if labelled else {"labels": "actions"}
    try:
        options = CloneOptions(data_path=data_path, output=output, **state.settings | changed)
    except (TypeError, ValueError) as error:
        raise TrainingError(f"policy {state.path} holds no usable settings of a clone: {error}") from None
    data = CloneData(options)
    if not data.val.files:
        raise EpisodeError(
            f"{data_path}: expected episodes for validation, found none of {len(data.train.files)}: the held-out "
            f"imagined return decides which policy is kept; record a second drive, or choose what validates of the "
            f"only one by folders train/ and val/"
        )
    return data

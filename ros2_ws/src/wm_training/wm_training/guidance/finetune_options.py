"""Options of `finetune_policy`. Does not load torch."""

import math
from dataclasses import dataclass
from typing import Literal

from wm_training.cloning.policy_run import PolicyRun


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions(PolicyRun):
    """Improve a cloned policy: in recorded states a world model imagines the results of the policy's own proposals, and
    the policy is pulled towards those with better returns (advantage-weighted regression). The same command continues a
    run that was stopped."""

    policy: str
    """The policy to start from: the *.onnx written by `clone` or this command, whose weights are in the folder
    *.training next to it, or that folder's best_model.pt."""
    checkpoint: str
    """Checkpoint of the world model (*.pt), made by `train` from drives with the same cameras."""
    data_path: str
    """Folder of episodes, or of train/ and val/ folders of episodes: where imagination begins."""
    proposals: int = 8
    """Actions of the policy that are compared in every state [actions]."""
    horizon: int = 6
    """Length of each imagined future [steps], followed by the world model's value."""
    hold: int = 3
    """Time for which a proposal is held before the drive continues [steps]. One step changes the return by less than
    the model's error: held for three the better steering has the better return far more often."""
    continue_with: Literal["actor", "policy"] = "actor"
    """Who drives after the proposal: the world model's actor, or the policy itself on decoded pictures, which needs no
    actor and takes several times as long."""
    behaviour_weight: float = 1.0
    """Weight of the actor's log density of a proposal, relative to its imagined return [reward per nat]. 0 trusts the
    imagined returns everywhere, also where the model has no data on such driving."""
    least_std: float = 0.1
    """Minimum standard deviation of the proposals before tanh, so that a confident policy still has a choice."""
    temperature: float = 1.0
    """How much better an action must be to weigh e times as much [standard deviations of the advantages]; small trusts
    the imagined returns, large stays with the policy."""
    largest_weight: float = 20.0
    """Weights of proposals are cut off here."""
    labelled_share: float = 0.25
    """Share of the loss that is the likelihood of recorded labels, those of the clone's training [share]; with 0 the
    episodes need no labels."""
    context: int = 8
    """Rows observed before imagination begins [rows]."""
    num_updates: int = 1000
    """Most updates [updates]."""
    batch_size: int = 32
    """States of an update [states]."""
    learning_rate: float = 1e-4
    """AdamW step size after the warm-up; it falls to a tenth along a cosine."""
    warmup_steps: int = 20
    """Time in which the learning rate rises from zero [updates]."""
    validate_every: int = 50
    """Updates between two evaluations of the held-out imagined return [updates]."""
    validation_states: int = 128
    """Held-out states from which the policy is imagined, spread over all validation episodes [states]."""
    validation_horizon: int = 15
    """Length of these drives, all of it driven by the policy on decoded pictures [steps]."""
    patience: int = 4
    """Evaluations without a better held-out return after which the run ends [evaluations]."""
    name: str = "guided"

    def __post_init__(self):
        super().__post_init__()
        counts = "horizon hold num_updates batch_size validate_every validation_states validation_horizon patience"
        for field in counts.split():
            self._check(field, getattr(self, field) > 0, "above 0")
        for field in ("proposals", "context"):
            self._check(field, getattr(self, field) >= 2, "at least 2")
        for field in ("temperature", "largest_weight", "learning_rate"):
            self._check(field, 0.0 < getattr(self, field) < math.inf, "a number above 0")
        for field in ("least_std", "behaviour_weight", "weight_decay", "warmup_steps"):
            self._check(field, 0 <= getattr(self, field) < math.inf, "0 or more")
        self._check("hold", self.hold <= self.horizon, f"at most horizon, {self.horizon}")
        self._check("labelled_share", 0.0 <= self.labelled_share < 1.0, "from 0 to below 1")

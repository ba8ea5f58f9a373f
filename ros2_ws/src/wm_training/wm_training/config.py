"""All settings of a training run: one frozen dataclass, checked at construction."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

_DEFAULT_DETERMINISTIC = 256
_DEFAULT_STOCHASTIC = 32


@dataclass(frozen=True)
class WorldModelTrainConfig:
    """Settings of model, losses and training run. Bad combinations are refused with the field and the value."""

    # Model
    state_dim: int = _DEFAULT_DETERMINISTIC
    """Size D of the deterministic state; another name of deterministic_dim."""
    action_dim: int = 3
    """Numbers in an action: steer, throttle, brake."""
    hidden_dim: int = 512
    """Units of every hidden layer."""
    latent_dim: int = _DEFAULT_STOCHASTIC
    """Stochastic latent variables; another name of stochastic_dim."""
    num_categories: int = 32
    """Classes of each latent variable (categorical latents only)."""
    deterministic_dim: int = _DEFAULT_DETERMINISTIC
    """Units of the recurrent (GRU) state; another name of state_dim."""
    stochastic_dim: int = _DEFAULT_STOCHASTIC
    """Another name of latent_dim."""
    latent: Literal["gaussian", "categorical"] = "gaussian"
    """Distribution of the stochastic state."""
    unimix: float = 0.01
    """Share of the uniform distribution mixed into categorical latents, so that no KL becomes infinite."""
    image_size: int = 64
    """Height and width of the model's picture [px]; a power of two from 32 to 256."""
    conv_depth: int = 32
    """Channels of the encoder's first layer; they double with every layer."""
    return_bins: int = 63
    """Bins of the two-hot reward and value heads, spread evenly over symlog(±bin_limit)."""
    bin_limit: float = 1000.0
    """Largest reward or value the heads can say, in reward units."""

    # Training
    batch_size: int = 32
    """Sequences in a batch."""
    sequence_length: int = 50
    """Steps in a training sequence."""
    learning_rate: float = 3e-4
    """AdamW step size after the warm-up."""
    weight_decay: float = 1e-6
    """AdamW weight decay."""
    num_epochs: int = 100
    """Passes over the data; one pass draws as many steps as the training split holds."""
    max_grad_norm: float = 100.0
    """Gradient norm above which gradients are scaled down."""
    warmup_steps: int = 1000
    """Updates in which the learning rate rises from zero."""
    final_learning_rate: float = 0.1
    """Share of learning_rate left at the last update; it falls along a cosine."""
    seed: int = 0
    """Seed of initialisation, data order and sampling."""
    device: str = "auto"
    """Where to train: auto (a GPU where there is one), cpu, cuda, cuda:1 …"""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the convolutions and matrix products (autocast)."""
    threads: int = 0
    """CPU threads, 0 for the number of cores."""

    # Loss weights
    reconstruction_weight: float = 1.0
    """Weight of the squared pixel error, summed over the picture (a log-likelihood, in nats like the KL)."""
    kl_weight: float = 1.0
    """Weight of the KL between posterior and prior, after annealing."""
    kl_balance: float = 0.8
    """Share of the KL's gradient that moves the prior towards the posterior; the rest moves the posterior."""
    reward_weight: float = 1.0
    """Weight of the reward head's loss."""
    value_weight: float = 0.5
    """Weight of the value head's loss."""
    dynamics_weight: float = 1.0
    """Weight of the squared distance between the predicted and the encoded next latent."""
    continue_weight: float = 1.0
    """Weight of the continue head's loss."""
    actor_weight: float = 1.0
    """Weight of the actor's behaviour cloning loss."""

    # KL annealing
    kl_free_bits: float = 1.0
    """KL [nats per step] below which it is not pressed further."""
    kl_anneal_steps: int = 10000
    """Updates in which the KL weight rises from zero to kl_weight."""

    # Imagination and returns
    imagination_horizon: int = 15
    """Steps H imagined by the exported planner graphs."""
    num_imagination_samples: int = 8
    """Imagined sequences drawn for pictures and reports."""
    discount: float = 0.99
    """Discount per step of the value targets."""
    return_lambda: float = 0.95
    """Lambda of the lambda-returns."""
    target_decay: float = 0.98
    """Moving average of the value network that gives the targets, per update."""

    # Files
    data_path: str = "./data/world_model"
    """Folder of episodes, or of train/ and val/ folders of episodes."""
    output_dir: str = "./output/world_model"
    """Folder for checkpoints, the resolved configuration and the metrics."""
    validation_share: float = 0.1
    """Share of the episodes kept for validation where data_path has no val/ folder."""
    keep_checkpoints: int = 3
    """Newest checkpoint_epoch_N.pt files to keep."""
    checkpoint_minutes: float = 2.0
    """Wall time [min] between writes of last.pt within an epoch."""

    def __post_init__(self):
        self._join_names("state_dim", "deterministic_dim", _DEFAULT_DETERMINISTIC)
        self._join_names("latent_dim", "stochastic_dim", _DEFAULT_STOCHASTIC)
        positive = (
            "state_dim",
            "hidden_dim",
            "latent_dim",
            "conv_depth",
            "batch_size",
            "num_epochs",
            "learning_rate",
            "max_grad_norm",
            "imagination_horizon",
            "num_imagination_samples",
            "bin_limit",
            "keep_checkpoints",
            "checkpoint_minutes",
        )
        for name in positive:
            self._check(name, getattr(self, name) > 0, "above 0")
        for name in ("weight_decay", "warmup_steps", "kl_free_bits", "kl_anneal_steps", "threads"):
            self._check(name, getattr(self, name) >= 0, "0 or more")
        for field in dataclasses.fields(self):
            if field.name.endswith("_weight"):
                self._check(field.name, getattr(self, field.name) >= 0, "0 or more")
        for name in ("kl_balance", "return_lambda", "unimix", "final_learning_rate"):
            self._check(name, 0.0 <= getattr(self, name) <= 1.0, "from 0 to 1")
        for name in ("discount", "target_decay"):
            self._check(name, 0.0 < getattr(self, name) < 1.0, "between 0 and 1")
        self._check("validation_share", 0.0 <= self.validation_share < 1.0, "from 0 to below 1")
        self._check("action_dim", self.action_dim == 3, "3 (steer, throttle, brake)")
        self._check("sequence_length", self.sequence_length >= 2, "at least 2")
        self._check("image_size", self.image_size in (32, 64, 128, 256), "32, 64, 128 or 256")
        self._check("return_bins", self.return_bins >= 3 and self.return_bins % 2 == 1, "odd and at least 3")
        self._check("num_categories", self.num_categories >= 2, "at least 2")

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name} is {getattr(self, name)!r}, expected {expected}")

    def _join_names(self, first: str, second: str, default: int) -> None:
        """Two names for one size: whichever was set wins, and two different settings are refused."""
        a, b = getattr(self, first), getattr(self, second)
        if a != b and default not in (a, b):
            raise ValueError(
                f"{first} is {a} and {second} is {b}, but they are two names for one size: set one of them"
            )
        value = b if a == default else a
        object.__setattr__(self, first, value)
        object.__setattr__(self, second, value)

    @property
    def stochastic_size(self) -> int:
        """S: numbers in a sampled stochastic state."""
        return self.latent_dim * (self.num_categories if self.latent == "categorical" else 1)

    @property
    def belief_size(self) -> int:
        """F = D + S."""
        return self.state_dim + self.stochastic_size

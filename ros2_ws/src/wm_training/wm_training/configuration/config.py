"""All settings of a training run: one frozen dataclass, checked at construction."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from wm_training.configuration.values import ONE_SIZE, NotSet, joined, nearest, typed
from wm_training.errors import ConfigurationError


@dataclass(frozen=True)
class WorldModelTrainConfig:
    """Settings of model, losses and training run. Bad combinations are refused with the field and the value."""

    # Model
    state_dim: int = NotSet(256)
    """Size D of the deterministic (GRU) state [units]; the same size as deterministic_dim."""
    action_dim: int = 3
    """Length A of an action [numbers]: steer, throttle, brake."""
    hidden_dim: int = 512
    """Width of every hidden layer [units]."""
    latent_dim: int = NotSet(32)
    """Size of the stochastic state [latent variables]; the same size as stochastic_dim."""
    num_categories: int = 32
    """Classes of each latent variable [categories] (categorical latents only)."""
    deterministic_dim: int = NotSet(256)
    """Size D of the deterministic (GRU) state [units]; the same size as state_dim."""
    stochastic_dim: int = NotSet(32)
    """Size of the stochastic state [latent variables]; the same size as latent_dim."""
    latent: Literal["gaussian", "categorical"] = "gaussian"
    """Distribution of the stochastic state."""
    unimix: float = 0.01
    """Share of the uniform distribution mixed into categorical latents [share], so that no KL becomes infinite."""
    image_size: int = 64
    """Height and width of the model's picture [px]; a power of two from 32 to 256."""
    conv_depth: int = 32
    """Width of the encoder's first layer [channels]; it doubles with every layer."""
    num_cameras: int = 0
    """Pictures stacked along the channels [cameras]; 0 takes as many as the data has."""
    camera_weights: Literal["own", "shared"] = "own"
    """Whether every camera has its own convolutions, or all share one set (several cameras only)."""
    camera_dropout: float = 0.1
    """How often a camera is hidden from the encoder for a training sequence [probability] (several cameras only)."""
    vector_dropout: float = 0.0
    """How often each vector input is hidden from the encoder for a training sequence [probability]; teaches models to
    drive on without one."""
    gru_blocks: int = 1
    """Division of the recurrent weight matrix [blocks]; more than 1 makes it block-diagonal, for large states."""
    scalar_head: Literal["two-hot", "mse"] = "two-hot"
    """How the reward and value heads represent a number: bins of symlog, or one number with a squared error."""
    ensemble_size: int = 1
    """Reward and value networks trained side by side [heads]; the planner can use their disagreement as risk."""
    actor_min_std: float = 0.05
    """Smallest standard deviation of the actor, before tanh."""
    actor_max_std: float = 1.0
    """Largest standard deviation of the actor, before tanh."""
    return_bins: int = 63
    """Resolution of the two-hot reward and value heads [bins], spread evenly over symlog(±bin_limit)."""
    bin_limit: float = 1000.0
    """Largest reward or value that the two-hot heads can represent [reward]."""

    # Training
    batch_size: int = 32
    """Size of a batch, over all processes together [sequences]."""
    sequence_length: int = 50
    """Length T of a training sequence [rows]."""
    learning_rate: float = 3e-4
    """AdamW step size after the warm-up."""
    weight_decay: float = 1e-6
    """AdamW weight decay, times the learning rate [share per update]."""
    num_epochs: int = 100
    """Length of the training [epochs]; one epoch draws as many rows as the training split holds."""
    max_grad_norm: float = 100.0
    """Norm of the gradient above which it is scaled down."""
    warmup_steps: int = 1000
    """Time in which the learning rate rises from zero [updates]."""
    final_learning_rate: float = 0.1
    """Part of learning_rate left at the last update [share]; it falls along a cosine."""
    seed: int = 0
    """Seed of initialisation, data order and sampling."""
    device: str = "auto"
    """Where to train: auto (a GPU if there is one), cpu, cuda, cuda:1 …"""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the convolutions and matrix products (autocast); auto chooses the faster one on this machine."""
    threads: int = 0
    """Processor threads [threads]; 0 for this process's share of the cores."""
    gradient_accumulation: int = 1
    """Parts a batch is split into, one after another, to save memory [parts]; the result is the complete batch's."""
    channels_last: Literal["auto", "yes", "no"] = "auto"
    """Memory layout of the convolutions with the channels innermost; auto goes by device, precision and processor."""
    compile: bool = False
    """Compile the model with torch.compile; where that fails, says why and trains without."""
    cuda_graph: bool = False
    """Record an update as one CUDA graph, whose kernels the host launches at once (a GPU, one process)."""
    prefetch_batches: int = 2
    """Data read ahead while the model computes [batches]."""
    light_augmentation: float = 0.0
    """Strongest change of light in half of the training sequences [share]; 0.5 is up to 1.5 times as bright or dark."""

    # Loss weights; a loss with weight 0 is measured and not learned
    reconstruction_weight: float = 1.0
    """Weight of the squared pixel error, summed over the picture (a log-likelihood, in nats like the KL)."""
    kl_weight: float = 1.0
    """Weight of the KL between posterior and prior, after annealing."""
    kl_balance: float = 0.8
    """Part of the KL's gradient that moves the prior towards the posterior [share]; the rest moves the posterior."""
    reward_weight: float = 1.0
    """Weight of the reward head's loss."""
    value_weight: float = 0.5
    """Weight of the value head's loss."""
    dynamics_weight: float = 1.0
    """Weight of the squared distance between the predicted and the encoded next latent."""
    continue_weight: float = 1.0
    """Weight of the continue head's loss."""
    behaviour_cloning_weight: float = 1.0
    """Weight of the actor's likelihood of the expert's actions; keeps policy learning near the data."""
    open_loop_weight: float = 0.0
    """Weight of pictures imagined up to open_loop_steps ahead from the recorded actions; teaches the decoder alone."""
    vector_weight: float = 10.0
    """Weight of the squared errors of the vector inputs, seen and imagined, in standard deviations; 0: no such head."""
    reward_terms_weight: float = 0.0
    """The same for the terms of the reward, which all training episodes must have (as those with driving-1)."""
    actor_weight: float = 1.0
    """Weight of the actor's imagined return (policy_learning only)."""
    critic_weight: float = 1.0
    """Weight of the value head's loss on imagined returns (policy_learning only)."""
    entropy_weight: float = 3e-4
    """Weight of the actor's entropy [nats] (policy_learning only)."""

    # KL annealing
    kl_free_bits: float = 1.0
    """KL below which it is not reduced further [nats per row]."""
    kl_anneal_steps: int = 10000
    """Time in which the KL weight rises from zero to kl_weight [updates]."""

    # Imagination and returns
    imagination_horizon: int = 15
    """Length H of imagined futures, in policy learning and in the exported planner graphs [steps]."""
    num_imagination_samples: int = 8
    """Imagined futures drawn for pictures and reports [sequences]."""
    discount: float = 0.99
    """Weight of a reward one step later [share per step]."""
    return_lambda: float = 0.95
    """Lambda of the lambda-returns [share]: 0 trusts the next value, 1 the rewards to the end."""
    target_decay: float = 0.98
    """Moving average of the value network that gives the targets [share kept per update]."""
    policy_learning: bool = False
    """Learn actor and value in imagination as well (Dreamer). Offline actors exploit model errors: compare first."""
    policy_start_step: int = 1000
    """Time before policy learning begins [updates]: an untrained model teaches nothing."""
    imagination_starts: int = 64
    """Posterior states of a batch from which policy learning imagines [states]; 0 for all of them."""
    open_loop_steps: int = 15
    """Length of what the open-loop losses imagine [steps]; at most sequence_length - 1 of them."""
    open_loop_starts: int = 64
    """Posterior states of a batch from which the open-loop losses imagine, a picture each [states]; 0 for all."""

    # Files
    data_path: str = "./data/world_model"
    """Folder of episodes, or of train/ and val/ folders of episodes."""
    imagined_path: str = "none"
    """Folder of imagined episodes, made by `augment`, to train on in addition to data_path; none for none."""
    imagined_share: float = 0.5
    """Part of the training sequences that is drawn from imagined_path [share]; an epoch stays as long as without."""
    output_dir: str = "./output/world_model"
    """Folder for checkpoints, the resolved configuration and the metrics."""
    validation_share: float = 0.1
    """Part of the episodes kept for validation where data_path has no val/ folder [share]."""
    keep_checkpoints: int = 3
    """Newest checkpoint_epoch_N.pt to keep [files]."""
    checkpoint_minutes: float = 2.0
    """Longest time between writes of last.pt within an epoch [min]."""
    validation_frames: int = 2000
    """Validation data scored after every epoch, spread over all validation episodes [rows]."""
    log_every: int = 20
    """Distance between two points of the TensorBoard curves [updates]."""
    video_epochs: int = 10
    """Distance between two open-loop videos in TensorBoard [epochs]; 0 for none."""

    def __post_init__(self):
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain = {field.name: typed(field, given[field.name]) for field in dataclasses.fields(self)}
        sizes = {name: plain[name] for pair in ONE_SIZE for name in pair if not isinstance(given[name], NotSet)}
        for name, value in (plain | joined(sizes)).items():
            object.__setattr__(self, name, value)
        for expected, holds, names in _RANGES:
            for name in names.split():
                self._check(name, holds(getattr(self, name)), expected)
        self._check_combinations()

    def _check_combinations(self) -> None:
        self._check("actor_max_std", self.actor_max_std >= self.actor_min_std, "at least actor_min_std")
        self._check("state_dim", self.state_dim % self.gru_blocks == 0, f"a multiple of gru_blocks, {self.gru_blocks}")
        self._check(
            "batch_size",
            self.batch_size % self.gradient_accumulation == 0,
            f"a multiple of gradient_accumulation, {self.gradient_accumulation}",
        )
        self._check("action_dim", self.action_dim == 3, "3 (steer, throttle, brake)")
        self._check("sequence_length", self.sequence_length >= 2, "at least 2")
        self._check("image_size", self.image_size in (32, 64, 128, 256), "32, 64, 128 or 256")
        self._check("return_bins", self.return_bins >= 3 and self.return_bins % 2 == 1, "odd and at least 3")
        self._check("num_categories", self.num_categories >= 2, "at least 2")

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ConfigurationError(f"{name} is {getattr(self, name)!r}, expected {expected}")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = "") -> "WorldModelTrainConfig":
        """Build from names and values, such as a checkpoint's; other fields keep their defaults.

        Raises ConfigurationError, which names ``source``, for unknown names, wrong types and bad values.
        """
        try:
            if not isinstance(values, Mapping):
                raise ConfigurationError(f"found {type(values).__name__}, expected names and values")
            check_names(values)
            return cls(**values)
        except ConfigurationError as error:
            raise ConfigurationError(f"{source}: {error}" if source else str(error)) from None

    def with_changes(self, **changes: Any) -> "WorldModelTrainConfig":
        """A copy with other values; changing one name of a size changes both. Raises ConfigurationError."""
        check_names(changes)
        return type(self)(**{**dataclasses.asdict(self), **joined(changes)})

    @property
    def imagined_folder(self) -> str | None:
        """``imagined_path``, None without imagined training episodes."""
        return None if self.imagined_path == "none" or self.imagined_share == 0.0 else self.imagined_path

    @property
    def stochastic_size(self) -> int:
        """S: numbers in a sampled stochastic state."""
        return self.latent_dim * (self.num_categories if self.latent == "categorical" else 1)

    @property
    def belief_size(self) -> int:
        """F = D + S."""
        return self.state_dim + self.stochastic_size


_NAMES = tuple(field.name for field in dataclasses.fields(WorldModelTrainConfig))
_WEIGHTS = " ".join(name for name in _NAMES if name.endswith("_weight"))
_RANGES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    (
        "above 0",
        lambda value: value > 0,
        "state_dim hidden_dim latent_dim conv_depth batch_size num_epochs learning_rate max_grad_norm "
        "imagination_horizon num_imagination_samples bin_limit keep_checkpoints checkpoint_minutes gru_blocks "
        "ensemble_size actor_min_std gradient_accumulation validation_frames log_every open_loop_steps",
    ),
    (
        "0 or more",
        lambda value: value >= 0,
        "weight_decay warmup_steps kl_free_bits kl_anneal_steps threads num_cameras prefetch_batches "
        f"light_augmentation policy_start_step imagination_starts open_loop_starts video_epochs {_WEIGHTS}",
    ),
    ("from 0 to 4294967295", lambda value: 0 <= value < 2**32, "seed"),
    (
        "from 0 to 1",
        lambda value: 0 <= value <= 1,
        "kl_balance return_lambda unimix final_learning_rate imagined_share",
    ),
    ("between 0 and 1", lambda value: 0 < value < 1, "discount target_decay"),
    ("from 0 to below 1", lambda value: 0 <= value < 1, "camera_dropout vector_dropout validation_share"),
    ("a name that is not empty", lambda value: bool(value.strip()), "device data_path imagined_path output_dir"),
)
"""The expectation as text, its check, and the fields it applies to."""


def check_names(names: Iterable[str]) -> None:
    """Raise ConfigurationError for unknown field names, each with the nearest known one."""
    unknown = [name for name in names if name not in _NAMES]
    if unknown:
        raise ConfigurationError("; ".join(f"unknown field {name!r}, {nearest(name, _NAMES)}" for name in unknown))

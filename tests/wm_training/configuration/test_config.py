from dataclasses import asdict, replace

import numpy as np
import pytest
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.errors import ConfigurationError

SEED_DEFAULTS = dict(
    state_dim=256,
    action_dim=3,
    hidden_dim=512,
    latent_dim=32,
    num_categories=32,
    deterministic_dim=256,
    stochastic_dim=32,
    batch_size=32,
    sequence_length=50,
    learning_rate=3e-4,
    weight_decay=1e-6,
    num_epochs=100,
    max_grad_norm=100.0,
    warmup_steps=1000,
    reconstruction_weight=1.0,
    kl_weight=1.0,
    kl_balance=0.8,
    reward_weight=1.0,
    value_weight=0.5,
    dynamics_weight=1.0,
    kl_free_bits=1.0,
    kl_anneal_steps=10000,
    imagination_horizon=15,
    num_imagination_samples=8,
)
PAIRS = [("state_dim", "deterministic_dim"), ("latent_dim", "stochastic_dim")]


def test_the_seeds_defaults():
    config = WorldModelTrainConfig()
    assert {name: getattr(config, name) for name in SEED_DEFAULTS} == SEED_DEFAULTS


@pytest.mark.parametrize("first, second", PAIRS)
def test_two_names_of_one_size_agree_and_a_conflict_is_refused(first, second):
    assert getattr(WorldModelTrainConfig(**{first: 40}), second) == 40
    assert getattr(WorldModelTrainConfig(**{second: 40}), first) == 40
    with pytest.raises(ConfigurationError, match=f"{first} is 40 and {second} is 41"):
        WorldModelTrainConfig(**{first: 40, second: 41})


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_size_given_on_purpose_conflicts_also_when_it_is_the_default(first, second):
    default = SEED_DEFAULTS[first]
    with pytest.raises(ConfigurationError, match=f"{first} is {default} and {second} is 99"):
        WorldModelTrainConfig(**{first: default, second: 99})


def test_changes_of_one_name_change_both_and_leave_the_original_alone():
    base = WorldModelTrainConfig(state_dim=40)
    changed = base.with_changes(deterministic_dim=256, batch_size=8)
    assert (changed.state_dim, changed.deterministic_dim, changed.batch_size) == (256, 256, 8)
    assert (base.state_dim, base.deterministic_dim, base.batch_size) == (40, 40, 32)
    with pytest.raises(ConfigurationError, match="state_dim is 1 and deterministic_dim is 2"):
        base.with_changes(state_dim=1, deterministic_dim=2)
    with pytest.raises(ConfigurationError, match="'batchsize', the nearest known name is batch_size"):
        base.with_changes(batchsize=3)


def test_replace_works_for_all_but_one_name_of_a_size():
    base = WorldModelTrainConfig(state_dim=40)
    assert replace(base, batch_size=8) == base.with_changes(batch_size=8)
    with pytest.raises(ConfigurationError, match="state_dim is 50 and deterministic_dim is 40"):
        replace(base, state_dim=50)


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("batch_size", 0, "above 0"),
        ("discount", 1.0, "between 0 and 1"),
        ("image_size", 63, "32, 64, 128 or 256"),
        ("kl_balance", 1.5, "from 0 to 1"),
        ("action_dim", 2, "3"),
        ("kl_weight", -1, "0 or more"),
        ("entropy_weight", -1e-9, "0 or more"),
        ("seed", -1, "from 0"),
        ("gradient_accumulation", 5, "a multiple of gradient_accumulation, 5"),
        ("gru_blocks", 7, "a multiple of gru_blocks, 7"),
        ("actor_max_std", 0.01, "at least actor_min_std"),
        ("output_dir", " ", "not empty"),
    ],
)
def test_a_bad_value_is_refused_with_name_value_and_what_was_expected(name, value, expected):
    with pytest.raises(ConfigurationError, match=expected) as refusal:
        WorldModelTrainConfig(**{name: value})
    named = {"gradient_accumulation": "batch_size is 32", "gru_blocks": "state_dim is 256"}
    assert named.get(name, f"{name} is {value!r}") in str(refusal.value)


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("batch_size", 3.5, "a whole number"),
        ("batch_size", "32", "a whole number"),
        ("batch_size", True, "a whole number"),
        ("learning_rate", "3e-4", "a finite number"),
        ("learning_rate", float("nan"), "a finite number"),
        ("max_grad_norm", float("inf"), "a finite number"),
        ("max_grad_norm", 10**400, "a finite number"),
        ("compile", 1, "true or false"),
        ("latent", "gausian", "gaussian or categorical"),
        ("latent", ["gaussian"], "gaussian or categorical"),
        ("data_path", None, "text"),
    ],
)
def test_a_wrong_type_is_refused_with_name_value_and_expected_type(name, value, expected):
    with pytest.raises(ConfigurationError) as refusal:
        WorldModelTrainConfig(**{name: value})
    assert str(refusal.value) == f"{name} is {value!r}, expected {expected}"


def test_numbers_of_other_libraries_become_plain_ones():
    config = WorldModelTrainConfig(batch_size=np.int64(8), learning_rate=np.float64(0.5), kl_weight=1)
    assert [type(getattr(config, name)) for name in ("batch_size", "learning_rate", "kl_weight", "state_dim")] == [
        int,
        float,
        float,
        int,
    ]


def test_a_dictionary_gives_the_configuration_back_and_unknown_names_are_refused_with_the_nearest():
    config = WorldModelTrainConfig(state_dim=40, latent="categorical", compile=True)
    assert WorldModelTrainConfig.from_dict(asdict(config)) == config
    assert WorldModelTrainConfig.from_dict({"stochastic_dim": 5}).latent_dim == 5
    with pytest.raises(ConfigurationError) as refusal:
        WorldModelTrainConfig.from_dict({**asdict(config), "learning_rat": 1.0, "kl_wait": 2}, "last.pt")
    assert str(refusal.value) == (
        "last.pt: unknown field 'learning_rat', the nearest known name is learning_rate; "
        "unknown field 'kl_wait', the nearest known name is kl_weight"
    )
    with pytest.raises(ConfigurationError, match="last.pt: found list, expected names and values"):
        WorldModelTrainConfig.from_dict([], "last.pt")

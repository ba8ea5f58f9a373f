"""Settings in layers: class defaults, then a preset, a YAML file, and changes such as command-line flags.

Every layer overrides earlier ones, field by field. Of two names of one size (``ONE_SIZE``) each layer may set either;
it counts for both.
"""

import dataclasses
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from wm_training.configuration.config import WorldModelTrainConfig, check_names
from wm_training.configuration.presets import PRESETS
from wm_training.configuration.values import ONE_SIZE, joined, nearest, typed
from wm_training.errors import ConfigurationError

SECTIONS = {
    "state_dim": "Model",
    "batch_size": "Training",
    "reconstruction_weight": "Loss weights",
    "kl_free_bits": "KL annealing",
    "imagination_horizon": "Imagination and returns",
    "data_path": "Files",
}
"""The first field of every section of the configuration."""

FIELDS = {field.name: field for field in dataclasses.fields(WorldModelTrainConfig)}
_SECOND_NAMES = {second: first for first, second in ONE_SIZE}
# YAML 1.1, which PyYAML follows, requires a point and a sign, as in 1.0e-4, and reads 1e-4 as text.
_EXPONENT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
_MODEL_FIELDS = (
    "state_dim action_dim hidden_dim latent_dim num_categories latent image_size conv_depth num_cameras camera_weights "
    "gru_blocks scalar_head ensemble_size return_bins bin_limit vector_weight vector_dropout reward_terms_weight"
).split()
_OPTIONAL_PARTS = ("vector_weight", "vector_dropout", "reward_terms_weight")  # a model has them where above 0


def build(*layers: Mapping[str, Any]) -> WorldModelTrainConfig:
    """The configuration of ``layers``, later ones override earlier ones, over the class defaults.

    ``build(PRESETS["carla"], load("my.yaml"), {"batch_size": 8})``. Raises ConfigurationError.
    """
    return WorldModelTrainConfig.from_dict(merge(*layers))


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """The combined settings of ``layers``. Raises ConfigurationError for two sizes of one thing within a layer."""
    result: dict[str, Any] = {}
    for layer in layers:
        result |= joined(layer)
    return result


def below_flags(preset: str | None, file: str | None) -> dict[str, Any]:
    """The combined settings of a preset and a file; without a preset the file's own is used."""
    if file:
        return load(file, preset)
    return merge(_preset(preset)) if preset else {}


def load(path: str | Path, preset: str | None = None) -> dict[str, Any]:
    """The settings of a YAML file, over those of ``preset`` or else of the preset that the file itself names.

    Raises ConfigurationError, naming file and line: for a missing, unreadable or invalid file, for a field that is
    unknown or given twice, and for values of a wrong type.
    """
    named, values = None, {}
    for name, value, where in _entries(Path(path).expanduser()):
        try:
            if name == "preset":
                named = _preset(value)
            else:
                check_names([name])
                values[name] = typed(FIELDS[name], value)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
    below = _preset(preset) if preset else named or {}
    try:
        return merge(below, values)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def dump(config: WorldModelTrainConfig) -> str:
    """The configuration as a YAML text, in ASCII, that ``load`` reads back; a size with two names is written once."""
    lines = ["# Settings of a training run; `train --config` reads this file.\n"]
    for name in FIELDS:
        if name in SECTIONS:
            lines.append(f"\n# {SECTIONS[name]}\n")
        if name not in _SECOND_NAMES:
            lines.append(yaml.safe_dump({name: getattr(config, name)}, width=sys.maxsize))
    return "".join(lines)


def differences(saved: WorldModelTrainConfig, wanted: WorldModelTrainConfig) -> tuple[list[str], list[str]]:
    """Fields that differ, as "name saved → wanted": those that change the model, and the others. A wanted precision
    auto does not count: it keeps the saved one."""
    model, others = [], []
    for name in FIELDS:
        one, two = getattr(saved, name), getattr(wanted, name)
        if one != two and name not in _SECOND_NAMES and (name, two) != ("precision", "auto"):
            (model if _makes_another_model(name, saved, wanted) else others).append(f"{name} {one} → {two}")
    return model, others


def _makes_another_model(name: str, saved: WorldModelTrainConfig, wanted: WorldModelTrainConfig) -> bool:
    used = {
        "num_categories": saved.latent == "categorical",
        "return_bins": saved.scalar_head == "two-hot",
        "bin_limit": saved.scalar_head == "two-hot",
        "num_cameras": 0 not in (saved.num_cameras, wanted.num_cameras),  # 0 uses the data's, which may be the same
    }
    used |= {part: (getattr(saved, part) > 0) != (getattr(wanted, part) > 0) for part in _OPTIONAL_PARTS}
    return name in _MODEL_FIELDS and used.get(name, True)


def _preset(name: Any) -> Mapping[str, Any]:
    if not isinstance(name, str) or name not in PRESETS:
        raise ConfigurationError(f"preset is {name!r}, expected {', '.join(PRESETS)}; {nearest(name, PRESETS)}")
    return PRESETS[name]


def _entries(path: Path) -> list[tuple[Any, Any, str]]:
    """Name, value and place of every line of a flat YAML mapping. Raises ConfigurationError."""
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        root = loader.get_single_node()
    except OSError as error:
        raise ConfigurationError(f"cannot read configuration {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: byte {error.start} is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        place = f"{path} line {(error.problem_mark or error.context_mark).line + 1}"
        problem = ", ".join(filter(None, (error.context, error.problem)))
        raise ConfigurationError(f"{place}: invalid YAML, {problem}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{path}: invalid YAML, {' '.join(str(error).split())}") from None
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise ConfigurationError(f"{path} line {root.start_mark.line + 1}: expected lines of the form `field: value`")
    entries: dict[str, tuple[Any, Any, str]] = {}
    for key, node in root.value:
        place = f"{path} line {key.start_mark.line + 1}"
        name = _construct(loader, key, place)
        if str(name) in entries:
            raise ConfigurationError(f"{place}: {name} is set again, first in {entries[str(name)][2]}")
        entries[str(name)] = (name, _value(loader, name, node, place), place)
    return list(entries.values())


def _construct(loader: yaml.SafeLoader, node: yaml.Node, place: str) -> Any:
    try:
        return loader.construct_object(node, deep=True)
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError(f"{place}: invalid YAML, {error.problem}") from None
    except Exception as error:  # PyYAML passes on exceptions of int(), date() and others
        raise ConfigurationError(f"{place}: invalid YAML, {' '.join(str(error).split())}") from None


def _value(loader: yaml.SafeLoader, name: Any, node: yaml.Node, place: str) -> Any:
    """The value of a node, as the type of field ``name`` where YAML's own reading of a plain word differs."""
    value = _construct(loader, node, place)
    field = FIELDS.get(name) if isinstance(name, str) else None
    if field is None or not isinstance(node, yaml.ScalarNode):
        return value
    if get_args(field.type) and value is not None:
        return node.value  # a choice such as `yes`, which YAML 1.1 reads as true
    if field.type in (int, float) and node.style is None and _EXPONENT.fullmatch(node.value):
        value = float(node.value)
    if field.type is int and isinstance(value, float) and value.is_integer():
        return int(value)  # 1e4 is a whole number
    return value

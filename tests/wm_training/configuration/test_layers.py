from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_training.commands.configuration_tables import markdown
from wm_training.configuration import layers
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.configuration.layers import FIELDS, below_flags, build, differences, dump, load
from wm_training.configuration.presets import PRESETS
from wm_training.errors import ConfigurationError

DOCUMENT = Path(__file__).parents[3] / "docs" / "configuration.md"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_layers_overrule_each_other_field_by_field(tmp_path):
    file = written(tmp_path, "preset: carla\nbatch_size: 8\nkl_weight: 0.25\n")
    config = build(load(file), {"batch_size": 4})
    # 4 from the change, 0.25 from the file, 25 from the preset, 50 and 512 from the class
    assert (config.batch_size, config.kl_weight, config.imagination_horizon) == (4, 0.25, 25)
    assert (config.warmup_steps, config.sequence_length) == (1000, 50)


def test_a_preset_from_outside_replaces_the_one_the_file_names(tmp_path):
    file = written(tmp_path, "preset: carla\nbatch_size: 8\n")
    config = build(below_flags("nuscenes", str(file)))
    assert (config.hidden_dim, config.batch_size, config.kl_weight) == (1024, 8, 1.0)
    assert below_flags("debug", None)["deterministic_dim"] == PRESETS["debug"]["state_dim"]
    assert below_flags(None, None) == {}


@pytest.mark.parametrize("name", ["state_dim", "deterministic_dim"])
def test_each_layer_may_use_either_name_of_a_size(tmp_path, name):
    config = build(load(written(tmp_path, f"preset: nuscenes\n{name}: 128\n")))
    assert (config.state_dim, config.deterministic_dim) == (128, 128)
    config = build(PRESETS["nuscenes"], {name: 256})
    assert (config.state_dim, config.deterministic_dim) == (256, 256)
    with pytest.raises(ConfigurationError, match="my.yaml: state_dim is 1 and deterministic_dim is 2"):
        load(written(tmp_path, "state_dim: 1\ndeterministic_dim: 2\n"))


def _values(name: str) -> st.SearchStrategy:
    special = {
        "state_dim": st.integers(1, 1000).map(lambda n: 8 * n),
        "gru_blocks": st.sampled_from([1, 2, 4, 8]),
        "batch_size": st.integers(1, 1000).map(lambda n: 8 * n),
        "gradient_accumulation": st.sampled_from([1, 2, 4, 8]),
        "action_dim": st.just(3),
        "image_size": st.sampled_from([32, 64, 128, 256]),
        "return_bins": st.integers(1, 1000).map(lambda n: 2 * n + 1),
        "actor_max_std": st.floats(1.0, 1e9),
    }
    kind = FIELDS[name].type
    if name in special:
        return special[name]
    if kind is bool:
        return st.booleans()
    if kind is int:
        return st.integers(2, 2**31)
    if kind is float:  # within what every one of them allows
        below_one = (
            "kl_balance",
            "return_lambda",
            "unimix",
            "final_learning_rate",
            "discount",
            "target_decay",
            "camera_dropout",
            "vector_dropout",
            "validation_share",
            "actor_min_std",
            "imagined_share",
        )
        return st.floats(
            0.0,
            1.0 if name in below_one else None,
            exclude_min=True,
            exclude_max=name in below_one,
            allow_infinity=False,
        )
    if kind is str:
        return st.text(min_size=1).filter(str.strip)
    return st.sampled_from(get_args(kind))


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional={name: _values(name) for name in FIELDS if not name.endswith("tic_dim")}))
def test_a_saved_configuration_is_read_back_as_it_was(tmp_path_factory, values):
    config = WorldModelTrainConfig(**values)
    file = written(tmp_path_factory.mktemp("saved"), dump(config))
    assert load(file) == asdict(config)
    assert build(load(file)) == config


def test_a_saved_configuration_overrules_every_field_of_a_preset(tmp_path):
    config = WorldModelTrainConfig()
    assert build(below_flags("nuscenes", str(written(tmp_path, dump(config))))) == config


@pytest.mark.parametrize(
    "line, value",
    [
        ("learning_rate: 1e-4", 1e-4),
        ("learning_rate: 1.5E+1", 15.0),
        ("learning_rate: 2", 2.0),
        ("kl_anneal_steps: 1e4", 10000),
        ("channels_last: yes", "yes"),
        ("channels_last: no", "no"),
        ("compile: yes", True),
        ("data_path: '1e-4'", "1e-4"),
    ],
)
def test_a_word_is_read_as_what_its_field_holds(tmp_path, line, value):
    found = load(written(tmp_path, line))[line.split(":")[0]]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("seed: 1\nbatch_sise: 3\n", "line 2: unknown field 'batch_sise', the nearest known name is batch_size"),
        ("batch-size: 3", "line 1: unknown field 'batch-size', the nearest known name is batch_size"),
        ("preset: karla", "line 1: preset is 'karla', expected carla, nuscenes, carracing, debug; the nearest known"),
        ("preset: [carla]", r"line 1: preset is \['carla'\], expected"),
        ("seed: 1\n\nseed: 1\n", "line 3: seed is set again, first in .*my.yaml line 1"),
        ("batch_size: 3.5", "line 1: batch_size is 3.5, expected a whole number"),
        ("batch_size: '32'", "line 1: batch_size is '32', expected a whole number"),
        ("batch_size:", "line 1: batch_size is None, expected a whole number"),
        ("learning_rate: fast", "line 1: learning_rate is 'fast', expected a finite number"),
        ("learning_rate: '1e-4'", "line 1: learning_rate is '1e-4', expected a finite number"),
        ("learning_rate: .inf", "line 1: learning_rate is inf, expected a finite number"),
        ("compile: 1", "line 1: compile is 1, expected true or false"),
        ("latent:", "line 1: latent is None, expected gaussian or categorical"),
        ("data_path: 2024", "line 1: data_path is 2024, expected text"),
        ("model:\n  state_dim: 3\n", "line 1: unknown field 'model', "),
        ("- batch_size\n", "line 1: expected lines of the form `field: value`"),
        ("seed: 1\nseed: [1\n", "line 3: invalid YAML, while parsing a flow sequence, expected ',' or ']'"),
        ("seed: 1\n---\nseed: 2\n", "line 2: invalid YAML, expected a single document"),
        ("data_path: !!python/object/apply:os.getcwd []", "line 1: invalid YAML, could not determine a constructor"),
        ("seed: 1\nkl_weight: 2024-13-45", "line 2: invalid YAML, month must be in 1..12"),
        ("compile: !!bool maybe", "line 1: invalid YAML, 'maybe'"),
        ("[" * 3000, "invalid YAML, maximum recursion depth"),
        (b"seed: \xff", "byte 6 is not UTF-8 text"),
        (b"seed: \x00", "invalid YAML, unacceptable character"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line_with_its_place(tmp_path, text, message):
    with pytest.raises(ConfigurationError, match=f"my.yaml:? {message}") as refusal:
        load(written(tmp_path, text))
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_missing_or_a_folder_is_refused_and_an_empty_one_changes_nothing(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot read configuration .*none.yaml: No such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(tmp_path)
    assert load(written(tmp_path, "# nothing yet\n")) == {}


def test_differences_tell_another_model_from_other_settings():
    saved = WorldModelTrainConfig()
    wanted = saved.with_changes(hidden_dim=16, state_dim=8, learning_rate=1.0, num_categories=5, seed=3)
    model, others = differences(saved, wanted)
    assert model == ["state_dim 256 → 8", "hidden_dim 512 → 16"]
    # Gaussian latents have no categories
    assert others == ["num_categories 32 → 5", "learning_rate 0.0003 → 1.0", "seed 0 → 3"]
    categorical = saved.with_changes(latent="categorical")
    assert differences(categorical, categorical.with_changes(num_categories=5)) == (["num_categories 32 → 5"], [])
    assert differences(saved, saved) == ([], [])


def test_the_document_shows_every_field_with_its_default_and_every_preset():
    document = DOCUMENT.read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in markdown().splitlines() if row.startswith("| `")}
    assert set(rows) == set(FIELDS)
    assert all(row.endswith(" |") for row in rows.values())  # one line each, or the table ends there
    assert markdown() in document, (
        "docs/configuration.md is not what the code says: replace its tables by the output of "
        "`python -m wm_training.commands.configuration_tables --markdown`"
    )


def test_every_field_has_a_section_a_meaning_and_if_it_is_a_plain_count_a_unit():
    assert next(iter(FIELDS)) in layers.SECTIONS
    assert set(layers.SECTIONS) <= set(FIELDS)
    for line in markdown().split("### Presets")[0].splitlines():
        if line.startswith("| `"):
            name, default, unit, meaning = (cell.strip() for cell in line.strip("|").split("|"))
            assert len(meaning) > 10 and default.strip("`")
            assert unit or FIELDS[name.strip("`")].type is not int or name == "`seed`"


def test_the_examples_of_the_document_are_valid(tmp_path):
    examples = DOCUMENT.read_text(encoding="utf-8").split("```yaml\n")[1:]
    assert examples
    for example in examples:
        build(load(written(tmp_path, example.split("```")[0])))

"""A model of signals with gaps and of the terms of the reward, from its episodes to its bundle."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from make_episodes import META, make_episode
from tiny_bundle import TINY
from wm_bundle import load_bundle
from wm_bundle.free_signals import bundle_inputs
from wm_bundle.self_check import read_self_check
from wm_data.episodes import EpisodeError, write_episode
from wm_data.rewards import TERMS
from wm_planner.engine.engine import Engine
from wm_planner.engine.providers import EngineSettings
from wm_training.cloning.clone_options import CloneOptions
from wm_training.cloning.data import CloneData
from wm_training.commands.export import main
from wm_training.data.dataset import SequenceDataset
from wm_training.errors import TrainingError
from wm_training.exporting.graphs import ObserveGraph
from wm_training.imagination.recorded import open_split
from wm_training.training.checkpoints import read_world_model
from wm_training.training.trainer import WorldModelTrainer

SOURCE = "std_msgs/msg/Float32 /clearance data"
FREE = {"name": "clearance", "unit": "m", "gaps": True, "source": SOURCE}  # a signal of the user's own
GAPS = META | {"vector": [{"name": "speed", "unit": "m/s"}, FREE]}


def with_signals(rows: int, seed: int, missing: bool = True):
    """An episode whose second vector input, a gap, some rows lack, and with the terms of its reward."""
    whole = make_episode(rows, seed=seed)
    gap = np.linspace(30, 10, rows, dtype=np.float32)
    if missing:
        gap[rows // 3 : rows // 2] = np.nan
    terms = np.full((rows, len(TERMS)), np.nan, np.float32)
    terms[:, 0] = whole.vector[:, 0] / 5
    terms[1:, 1] = -0.05 * np.abs(whole.actions[1:, 0])
    terms[:, 4] = 0.0
    vector = np.stack([whole.vector[:, 0], gap], 1)
    return replace(whole, vector=vector, reward_terms=terms, meta=GAPS | {"reward_terms": list(TERMS)})


def folder_of(folder, **how):
    for i in range(4):
        write_episode(folder / f"episode_{i}.npz", with_signals(40, i, **how))
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    places = dict(data_path=str(folder_of(folder / "data")), output_dir=str(folder), num_epochs=2, threads=1)
    WorldModelTrainer(replace(TINY, reward_terms_weight=1.0, **places)).train()
    return folder / "best_model.pt"


@pytest.fixture(scope="module")
def bundle(checkpoint):
    assert main(["--checkpoint", str(checkpoint), "--output", str(checkpoint.parent / "bundle")]) == 0
    return load_bundle(checkpoint.parent / "bundle")


def test_the_bundle_names_what_it_imagines_and_what_may_be_missing(bundle):
    manifest = bundle.manifest
    told = [(spec.name, spec.gaps, spec.source) for spec in manifest.vector]
    assert told == [("speed", False, ""), ("clearance", True, SOURCE)]
    assert bundle_inputs(manifest)[1].sources[0].topic.leaf == "/clearance"
    assert manifest.imagines_vector and manifest.reward_terms == TERMS
    assert manifest.vector[1].mean == pytest.approx(19.5, abs=1.0)  # of the rows that have it
    assert {"parity_vector", "parity_reward_terms"} <= set(manifest.validation)
    assert {"vector", "reward_terms"} <= set(manifest.self_check.limits)
    shape = (16, 32, len(TERMS))
    assert read_self_check(bundle)[1].imagined_terms.shape == shape


def test_the_engine_gives_both_and_masks_what_is_missing_as_torch_does(bundle, checkpoint):
    engine = Engine(bundle, EngineSettings(providers=("CPUExecutionProvider",)), lambda line: None)
    model, _ = read_world_model(checkpoint)
    image, action = np.full((3, 64, 64), 90, np.uint8), np.zeros(3, np.float32)
    beliefs = []
    for vector in ([3.0, 20.0], [3.0, np.nan]):
        belief, _ = engine.observe(image, np.array(vector), action, engine.initial_belief(), True)
        row = torch.from_numpy(image)[None], torch.tensor([vector]), torch.zeros(1, 3), torch.zeros(1, 20)
        with torch.no_grad():
            expected, _ = ObserveGraph(model)(*row, torch.ones(1))
        np.testing.assert_allclose(belief, expected.numpy(), atol=1e-4)
        beliefs.append(belief)
    assert not np.allclose(*beliefs, atol=1e-5)
    with pytest.raises(Exception, match="not finite"):
        engine.observe(image, np.array([np.nan, 20.0]), action, engine.initial_belief(), True)
    said = engine.imagine(beliefs[1], np.zeros((3, bundle.manifest.horizon, 3), np.float32), engine.zero_noise(3))
    assert said.vector.shape == (3, 5, 2) and said.reward_terms.shape == (3, 5, len(TERMS))


def test_the_statistics_are_of_what_is_known(checkpoint):
    model, payload = read_world_model(checkpoint)
    assert payload["vector_gaps"] == [1] and payload["reward_terms"] == list(TERMS)
    data = SequenceDataset(checkpoint.parent / "data", replace(TINY, reward_terms_weight=1.0), "train")
    rows = np.concatenate([episode.vector for episode in data.episodes])
    np.testing.assert_allclose(model.vector_std.numpy(), np.nanstd(rows, axis=0), rtol=1e-4)
    assert model.terms_std.tolist()[2:] == [1.0, 1.0, 1.0], "unknown, unknown and never changing"


def test_episodes_without_terms_or_with_other_gaps_are_refused_in_one_line(tmp_path, checkpoint):
    config = replace(TINY, output_dir=str(tmp_path / "out"), threads=1)
    write_episode(tmp_path / "plain" / "a.npz", make_episode(40))
    write_episode(tmp_path / "plain" / "b.npz", make_episode(40, seed=1))
    with pytest.raises(EpisodeError, match="a.npz has no named reward_terms, which reward_terms_weight needs"):
        WorldModelTrainer(replace(config, data_path=str(tmp_path / "plain"), reward_terms_weight=1.0))
    for split, missing in (("train", False), ("val", True)):
        write_episode(tmp_path / "mixed" / split / "a.npz", with_signals(40, 0, missing=missing))
    mixed = replace(config, data_path=str(tmp_path / "mixed"))
    with pytest.raises(EpisodeError, match="val episodes lack clearance in some rows, those of train never do"):
        WorldModelTrainer(mixed)
    trainer = WorldModelTrainer(replace(mixed, vector_dropout=0.2))
    assert trainer.world_model.gaps == (0, 1)
    complete = WorldModelTrainer(replace(config, data_path=str(folder_of(tmp_path / "whole", missing=False))))
    assert complete.world_model.gaps == ()
    with pytest.raises(EpisodeError, match="lack clearance in some rows, and the model was trained with it in all"):
        open_split(checkpoint.parent / "data", complete.world_model, "val")


def test_a_clone_refuses_episodes_with_gaps(checkpoint):
    options = CloneOptions(data_path=str(checkpoint.parent / "data"), output="unused.onnx")
    with pytest.raises(EpisodeError, match="some rows lack clearance, which a policy cannot do without"):
        CloneData(options)


def test_a_checkpoint_of_an_earlier_version_has_no_such_heads(tmp_path):
    config = replace(TINY, data_path=str(tmp_path / "data"), output_dir=str(tmp_path), threads=1, vector_weight=0.0)
    for i in range(4):
        write_episode(tmp_path / "data" / f"{i}.npz", make_episode(40, seed=i))
    WorldModelTrainer(config).save_checkpoint(tmp_path / "new.pt")
    payload = torch.load(tmp_path / "new.pt", weights_only=True)
    for name in ("vector_weight", "vector_dropout", "reward_terms_weight"):
        del payload["config"][name]
    del payload["vector_gaps"], payload["reward_terms"]
    torch.save(payload, tmp_path / "old.pt")
    model, _ = read_world_model(tmp_path / "old.pt")
    assert model.vector is None and model.reward_terms is None and model.gaps == ()
    assert model.config.vector_weight == 0.0
    with pytest.raises(TrainingError, match="another model"):
        payload["config"]["vector_weight"] = 1.0
        torch.save(payload, tmp_path / "wrong.pt")
        read_world_model(tmp_path / "wrong.pt")

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from exact_products import weight_types, with_exact_products
from make_episodes import make_folder
from tiny_bundle import TINY, tiny_model
from wm_bundle import load_bundle
from wm_bundle.onnx_runtime import onnxruntime
from wm_bundle.self_check import read_self_check
from wm_training.commands.export import main
from wm_training.data.dataset import SequenceDataset
from wm_training.errors import ExportError
from wm_training.exporting.export import check_parity
from wm_training.exporting.export_options import ExportOptions
from wm_training.exporting.graphs import ActorGraph, DecodeGraph, ImagineGraph, ObserveGraph, export_graphs
from wm_training.exporting.parity import compare
from wm_training.exporting.quantization import quantize
from wm_training.model.world_model import WorldModel
from wm_training.training.trainer import WorldModelTrainer


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint and its data folder."""
    folder = tmp_path_factory.mktemp("run")
    make_folder(folder / "data", count=4, rows=24)
    config = replace(TINY, data_path=str(folder / "data"), output_dir=str(folder), num_epochs=1, threads=1)
    WorldModelTrainer(config).train()
    return folder / "best_model.pt"


def test_export_writes_a_bundle_that_says_where_it_comes_from(checkpoint, tmp_path):
    assert main(["--checkpoint", str(checkpoint), "--output", str(tmp_path / "b"), "--name", "test"]) == 0
    manifest = load_bundle(tmp_path / "b").manifest
    assert manifest.model_id.startswith("test-")
    assert manifest.control_period_s == pytest.approx(0.08)
    assert manifest.image.cameras[0].source_height == 96 and manifest.vector[0].name == "speed"
    assert manifest.provenance["data"]["rows"] == 4 * 24 and len(manifest.provenance["data"]["sha256"]) == 64
    assert manifest.provenance["config"]["data_path"] == "data", "the folder, not the way to it"
    assert manifest.surprise_threshold > 0 and manifest.validation["parity_belief"] <= 1e-4
    assert manifest.provenance["precision"] == "float32" and manifest.validation["parity_action"] <= 0.05
    check = manifest.self_check
    assert "float32 by torch" in check.reference and max(check.measured.values()) <= 1e-3 < min(check.limits.values())
    questions, answers = read_self_check(load_bundle(tmp_path / "b"))
    assert len(questions.beliefs) == len(answers.returns) == 16


def test_export_refuses_when_onnxruntime_and_torch_disagree(checkpoint, tmp_path, capsys):
    arguments = ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "b"), "--tolerance", "1e-12"]
    assert main(arguments) == 1
    assert "no bundle was written" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The exported graphs of tiny_model()."""
    return export_graphs(tiny_model(), tmp_path_factory.mktemp("graphs"))


def test_the_parity_check_sees_a_model_that_is_not_the_exported_one(files, tmp_path):
    data = SequenceDataset(make_folder(tmp_path, count=4, rows=24), TINY, "val")
    same, other = (compare(tiny_model(seed=seed), files, data, 50) for seed in (0, 1))
    assert same.pop("same_best") == 1.0 and max(same.values()) <= 1e-4
    assert other.pop("same_best") < 1.0 and min(other.values()) > 1e-3


@pytest.mark.parametrize("candidates", [1, 7])
def test_imagine_graph_is_the_models_imagine_for_any_number_of_candidates(files, candidates):
    model = tiny_model()
    torch.manual_seed(0)
    belief = torch.randn(1, TINY.belief_size)
    actions = torch.rand(candidates, TINY.imagination_horizon, 3)
    noise = torch.randn(candidates, TINY.imagination_horizon, TINY.stochastic_size)
    state = model.rssm.split(belief.expand(candidates, -1))
    with torch.no_grad():
        expected = model.imagine(state, actions, noise)
    feeds = {"belief": belief.numpy(), "actions": actions.numpy(), "noise": noise.numpy()}
    session = onnxruntime.InferenceSession(str(files["imagine.onnx"]))
    reward, proceed, value, beliefs, vector = session.run(None, feeds)
    for found, name in [(reward, "rewards"), (proceed, "continues"), (value, "values")]:
        np.testing.assert_allclose(found, expected[name].numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(beliefs, expected["beliefs"][:, 1:].numpy(), rtol=1e-4, atol=1e-5)
    assert vector.shape == (candidates, TINY.imagination_horizon, 1)
    np.testing.assert_allclose(vector, expected["vector"].numpy(), rtol=1e-4, atol=1e-5)


def wide_model(seed: int = 0) -> WorldModel:
    """One whose products are large enough to gain from eight bits."""
    return tiny_model(seed, state_dim=128, deterministic_dim=128, hidden_dim=256)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    """The files of wide_model() with imagine.onnx in int8, and where it is in float32."""
    files = export_graphs(wide_model(), tmp_path_factory.mktemp("reduced"))
    full = files["imagine.onnx"]
    files["imagine.onnx"] = full.with_name("int8.onnx")
    # 5 steps, each with one wide product (384 * 384 weights of the GRU); the heads' 132 * 256 are too few
    assert quantize(full, files["imagine.onnx"]) == 5
    return files, full


def test_int8_makes_the_file_smaller_and_stays_near_float32(reduced, tmp_path):
    files, full = reduced
    assert files["imagine.onnx"].stat().st_size < 0.7 * full.stat().st_size
    assert weight_types(files["imagine.onnx"]) == {onnx.TensorProto.UINT8}, "int8 saturates where there is no VNNI"
    model = wide_model()
    differences = compare(model, files, SequenceDataset(make_folder(tmp_path, count=4, rows=24), TINY, "val"), 50)
    assert differences["belief"] <= 1e-4  # observe.onnx is the same
    assert 0.0 < differences["return"] <= 0.1 and 0.0 < differences["action"] <= 0.05
    assert 0.0 < differences["vector"] <= 0.1


def test_int8_is_exact_integer_arithmetic_on_this_processor(reduced, tmp_path):
    file = reduced[0]["imagine.onnx"]
    onnx.save(with_exact_products(onnx.load(file)), tmp_path / "exact.onnx")
    random = np.random.default_rng(0)
    feeds = {
        "belief": random.normal(size=(1, 132)).astype(np.float32),
        "actions": random.uniform(size=(9, 5, 3)).astype(np.float32),
        "noise": random.normal(size=(9, 5, 4)).astype(np.float32),
    }
    found, exact = (onnxruntime.InferenceSession(str(one)).run(None, feeds) for one in (file, tmp_path / "exact.onnx"))
    for one, other in zip(found, exact, strict=True):
        np.testing.assert_array_equal(one, other)


def test_int8_serves_any_number_of_candidates(reduced):
    session = onnxruntime.InferenceSession(str(reduced[0]["imagine.onnx"]))
    for candidates in (1, 9):
        feeds = {
            "belief": np.zeros((1, 132), np.float32),
            "actions": np.zeros((candidates, 5, 3), np.float32),
            "noise": np.zeros((candidates, 5, 4), np.float32),
        }
        assert session.run(["value"], feeds)[0].shape == (candidates, 5)


def test_int8_that_chooses_other_commands_is_refused(reduced):
    differences = {"belief": 0.0, "reward": 0.2, "value": 0.2, "return": 0.01, "action": 0.06, "same_best": 0.5}
    options = ExportOptions(checkpoint="c", output="b", precision="int8")
    with pytest.raises(ExportError, match="int8 and torch differ by 0.06 in action, allowed is 0.05: no bundle"):
        check_parity(options, differences)
    check_parity(options, differences | {"action": 0.04})
    with pytest.raises(ExportError, match="differ by nan in action"):
        check_parity(options, differences | {"action": float("nan")})
    with pytest.raises(ExportError, match="int8 and torch differ by 0.3 in vector, allowed is 0.2"):
        check_parity(options, differences | {"action": 0.0, "vector": 0.3})
    with pytest.raises(ExportError, match="float32 and torch differ by 0.2 in reward"):
        check_parity(replace(options, precision="float32"), differences | {"action": 0.0})


def test_int8_of_a_model_too_small_for_it_is_refused(checkpoint, tmp_path, capsys):
    arguments = ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "b"), "--precision", "int8"]
    assert main(arguments) == 1
    assert "no matrix product large enough" in capsys.readouterr().err and not (tmp_path / "b").exists()


def test_actor_graph_acts_along_its_own_mean_future():
    model = tiny_model()
    belief = torch.randn(1, TINY.belief_size)
    with torch.no_grad():
        commands, _ = ActorGraph(model)(belief)
        still = torch.zeros(1, TINY.imagination_horizon, TINY.stochastic_size)
        expected = model.imagine(model.rssm.split(belief), model.act, still)["actions"]
    torch.testing.assert_close(commands, expected)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--checkpoint", "none.pt", "--output", "b"], "no checkpoint at none.pt"),
        (["--checkpoint", "bad.pt", "--output", "b"], "damaged"),
    ],
)
def test_a_missing_or_damaged_checkpoint_ends_with_one_line(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pt").write_bytes(b"not a checkpoint")
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_an_output_folder_that_is_no_bundle_is_left_alone(checkpoint, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["--checkpoint", str(checkpoint), "--output", str(tmp_path)]) == 1
    assert "is not a bundle" in capsys.readouterr().err and (tmp_path / "thesis.txt").exists()


@pytest.mark.parametrize(
    "changes",
    [{"cameras": 2, "ensemble_size": 2}, {"latent": "categorical", "num_categories": 4, "gru_blocks": 4}],
    ids=["cameras and ensemble", "categorical and blocks"],
)
def test_every_kind_of_model_says_the_same_in_onnxruntime(changes, tmp_path):
    model = tiny_model(**changes)
    config, cameras = model.config, model.cameras
    files = export_graphs(model, tmp_path)
    torch.manual_seed(0)
    feeds = {
        "image": torch.randint(0, 256, (1, 3 * cameras, 64, 64), dtype=torch.uint8),
        "vector": torch.randn(1, 1),
        "previous_action": torch.rand(1, 3),
        "belief": torch.randn(1, config.belief_size),
        "is_first": torch.zeros(1),
    }
    if cameras > 1:
        feeds["camera_mask"] = torch.tensor([[1.0, 0.0]])  # one camera is dead
    agree(files["observe.onnx"], ObserveGraph(model), feeds)
    horizon = config.imagination_horizon
    feeds = {
        "belief": torch.randn(1, config.belief_size),
        "actions": torch.rand(3, horizon, 3),
        "noise": torch.randn(3, horizon, config.stochastic_size),
    }
    outputs = agree(files["imagine.onnx"], ImagineGraph(model), feeds)
    if config.ensemble_size > 1:
        disagreement, value_disagreement = outputs[4:6]
        assert (disagreement > 0).all() and (value_disagreement > 0).all()
    agree(files["decode.onnx"], DecodeGraph(model), {"belief": torch.randn(2, config.belief_size)})


def agree(file, graph, feeds: dict) -> list[np.ndarray]:
    """Run a graph in torch and in onnxruntime and compare; returns what onnxruntime says."""
    with torch.no_grad():
        expected = graph(**feeds)
    found = onnxruntime.InferenceSession(str(file)).run(None, {name: x.numpy() for name, x in feeds.items()})
    for one, other in zip(expected if isinstance(expected, tuple) else (expected,), found, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=1e-4, atol=1 if one.dtype == torch.uint8 else 1e-4)
    return found

"""A bundle of an earlier version is brought forward: the same numbers, exact weights, a self-check, its scores."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from exact_products import weight_types, with_signed_weights
from tiny_bundle import make_tiny_bundle, tiny_model
from wm_bundle import LatentSpec, load_bundle, write_bundle
from wm_bundle.manifest import SELF_CHECK_FILE
from wm_bundle.scores import read_scores, write_scores
from wm_bundle.self_check import read_self_check
from wm_training.commands.upgrade_bundle import main
from wm_training.exporting.file_model import open_file
from wm_training.exporting.graphs import export_graphs
from wm_training.exporting.quantization import dequantized, quantize


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A bundle with int8 weights, without a self-check, with scores."""
    folder = tmp_path_factory.mktemp("old")
    model = tiny_model(state_dim=128, deterministic_dim=128, hidden_dim=256, vector_weight=0.0)
    files = export_graphs(model, folder)
    full = files["imagine.onnx"].rename(folder / "full.onnx")
    quantize(full, files["imagine.onnx"])
    onnx.save(with_signed_weights(onnx.load(files["imagine.onnx"])), files["imagine.onnx"])
    manifest = load_bundle(make_tiny_bundle(folder / "tiny")).manifest
    manifest = replace(manifest, files={}, latent=LatentSpec("gaussian", 128, 4))
    bundle = write_bundle(folder / "old", manifest, files)
    write_scores(bundle, ())
    return bundle


@pytest.fixture(scope="module")
def new(old, tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "bundle"
    assert main([str(old.path), str(folder)]) == 0
    return load_bundle(folder)


def feeds(model: int = 132, candidates: int = 4) -> dict:
    random = np.random.default_rng(0)
    return {
        "belief": random.normal(size=(1, model)).astype(np.float32),
        "actions": random.uniform(size=(candidates, 5, 3)).astype(np.float32),
        "noise": np.zeros((candidates, 5, 4), np.float32),
    }


def integers(file) -> dict[str, np.ndarray]:
    """The numbers that the eight-bit weights stand for, before their scale."""
    graph = onnx.load(file).graph
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor).astype(int) for tensor in graph.initializer}
    products = [node.input for node in graph.node if node.op_type == "MatMulInteger"]
    return {inputs[1]: tensors[inputs[1]] - tensors[inputs[3]] for inputs in products}


def test_the_weights_are_uint8_and_stand_for_the_same_integers(old, new):
    before, after = (bundle.file("imagine.onnx") for bundle in (old, new))
    assert weight_types(before) == {onnx.TensorProto.INT8} and weight_types(after) == {onnx.TensorProto.UINT8}
    assert integers(before).keys() == integers(after).keys() != set()
    for name, numbers in integers(before).items():
        np.testing.assert_array_equal(numbers, integers(after)[name])


def test_nothing_else_changes_and_the_scores_go_along(old, new):
    for name in ("observe.onnx", "actor.onnx", "decode.onnx"):
        assert new.manifest.files[name] == old.manifest.files[name]
    assert replace(new.manifest, files={}, self_check=None) == replace(old.manifest, files={})
    assert read_scores(new) is not None


def test_the_self_check_is_of_float32_products_and_says_so(old, new):
    assert "float32" in new.manifest.self_check.reference and "eight-bit" in new.manifest.self_check.reference
    assert 0.0 < new.manifest.self_check.measured["return"] < 0.1
    questions, answers = read_self_check(new)
    assert new.file(SELF_CHECK_FILE).stat().st_size < 100_000
    assert questions.plans.shape == (16, 32, 5, 2) and np.ptp(answers.returns, axis=1).min() > 0.0


def test_dequantized_is_the_model_that_was_quantized(tmp_path):
    """float32 products of the rounded weights: nearer to the unrounded model than its weights' steps."""
    model = tiny_model(state_dim=128, deterministic_dim=128, hidden_dim=256)
    full = export_graphs(model, tmp_path)["imagine.onnx"]
    quantize(full, tmp_path / "reduced.onnx")
    reduced = onnx.load(tmp_path / "reduced.onnx")
    plain = dequantized(reduced)
    assert not {"MatMulInteger", "DynamicQuantizeLinear"} & {node.op_type for node in plain.graph.node}
    onnx.save(plain, tmp_path / "plain.onnx")
    said = [open_file(tmp_path / name).run(["beliefs"], feeds())[0] for name in ("plain.onnx", full.name)]
    assert 0.0 < np.abs(said[0] - said[1]).max() < 0.05


def test_a_bundle_that_imagines_its_vector_inputs_gets_a_self_check_of_them(tmp_path):
    from wm_bundle.self_check import read_self_check
    from wm_training.exporting.upgrade import upgrade

    (tmp_path / "work").mkdir()
    plain = load_bundle(make_tiny_bundle(tmp_path / "plain", imagines_vector=True))
    new, _ = upgrade(plain, tmp_path / "new", tmp_path / "work")
    assert new.manifest.imagines_vector and new.manifest.self_check.measured["vector"] < 1e-4
    assert read_self_check(new)[1].imagined_vector.shape == (16, 32, 1)


def test_the_same_bundle_gives_the_same_bytes_and_a_new_one_nothing_to_do(old, new, tmp_path, capsys):
    assert main([str(old.path), str(tmp_path / "again")]) == 0
    for file in new.path.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()
    capsys.readouterr()
    assert main([str(new.path), str(tmp_path / "copy")]) == 0
    assert "has all this already" in capsys.readouterr().err


def test_a_bundle_is_brought_forward_in_its_own_place(old, new, tmp_path):
    shutil.copytree(old.path, tmp_path / "bundle")
    assert main([str(tmp_path / "bundle"), str(tmp_path / "bundle")]) == 0
    assert load_bundle(tmp_path / "bundle").manifest == new.manifest
    assert [entry.name for entry in tmp_path.iterdir()] == ["bundle"]


def test_what_cannot_be_brought_forward_is_one_line_and_nothing_is_written(old, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    foreign = onnx.load(old.file("imagine.onnx"))
    product = next(node for node in foreign.graph.node if node.op_type == "MatMulInteger")
    del product.input[3]
    onnx.save(foreign, tmp_path / "imagine.onnx")
    files = {name: old.file(name) for name in old.manifest.files} | {"imagine.onnx": tmp_path / "imagine.onnx"}
    odd = write_bundle(tmp_path / "odd", replace(old.manifest, files={}), files).path
    for bundle, output, words in (
        (tmp_path / "none", tmp_path / "out", "no bundle at"),
        (old.path, tmp_path, "is not a bundle"),
        (odd, tmp_path / "out", "expected a constant zero point"),
    ):
        assert main([str(bundle), str(output)]) == 1
        told = capsys.readouterr().err
        assert words in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_scores_of_the_old_files_are_refused_beside_the_new_ones(old, new, tmp_path):
    """Or nobody would notice a file that was taken along by hand."""
    shutil.copytree(new.path, tmp_path / "bundle")
    shutil.copy(old.path / "scores.json", tmp_path / "bundle" / "scores.json")
    assert json.loads((old.path / "scores.json").read_text()) != json.loads((new.path / "scores.json").read_text())
    with pytest.raises(Exception, match="is of another model"):
        read_scores(load_bundle(tmp_path / "bundle"))


def test_a_file_that_the_manifest_lists_and_nobody_needs_goes_along(old, tmp_path):
    folder = tmp_path / "bundle"
    shutil.copytree(old.path, folder)
    (folder / "note.txt").write_text("of last year")
    files = {name: folder / name for name in (*old.manifest.files, "note.txt")}
    write_bundle(tmp_path / "listed", replace(old.manifest, files={}), files)
    assert main([str(tmp_path / "listed"), str(tmp_path / "new")]) == 0
    new = load_bundle(tmp_path / "new")
    assert new.manifest.self_check is not None and new.file("note.txt").read_text() == "of last year"


@pytest.mark.parametrize("name", ["imagine.onnx", "actor.onnx"])
def test_a_file_that_is_no_model_is_named_and_nothing_is_written(old, tmp_path, capsys, name):
    files = {file: old.file(file) for file in old.manifest.files}
    other = tmp_path / "other"
    other.write_bytes(b"no model at all")
    bundle = write_bundle(tmp_path / "bundle", replace(old.manifest, files={}), files | {name: other})
    assert main([str(bundle.path), str(tmp_path / "new")]) == 1
    said = capsys.readouterr().err
    assert name in said and "Traceback" not in said and not (tmp_path / "new").exists()

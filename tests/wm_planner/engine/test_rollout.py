"""Imagination by wm_imagination: exact products, the bundle's answers, and onnxruntime where it does not suit."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from wm_bundle import load_bundle
from wm_bundle.onnx_runtime import onnxruntime
from wm_imagination.agreement import agreeing_rollout
from wm_imagination.library import UnsuitedError, kinds
from wm_imagination.model import BINS, SIGMOID, read_model
from wm_imagination.rollout import Rollout
from wm_planner.engine import engine as engine_module
from wm_planner.engine.engine import Engine
from wm_planner.engine.providers import CHOICES, EngineSettings
from wm_planner.errors import NonFiniteError
from wm_training.exporting.quantization import float_copy

from benchmarks.untrained import sizes_of, write_reduced, write_untrained

SHIPPED = Path(__file__).parents[3] / "models/carracing"
ALONE = EngineSettings(providers=CHOICES["cpu"], rollout=False)
ON_CPU = EngineSettings(providers=CHOICES["cpu"])

pytestmark = pytest.mark.skipif(not kinds(), reason="wm_imagination is for x86-64 with AVX2")


def untrained(folder: Path, **changes) -> Path:
    """An untrained bundle of the shipped one's sizes, but for ``changes``, in eight bits, with random heads."""
    full = write_untrained(folder / "full", sizes_of(SHIPPED) | changes, horizon=3)
    return write_reduced(folder / "reduced", full).path


@pytest.fixture(scope="module")
def extreme(tmp_path_factory) -> bytes:
    """A model with an imagined vector, whose eight-bit weights are as large as they can be, many of one sign."""
    model = onnx.load(untrained(tmp_path_factory.mktemp("extreme"), vector_weight=1.0) / "imagine.onnx")
    random = np.random.default_rng(0)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name.endswith("_quantized"):
            values = random.choice(np.array([1, 255], np.uint8), values.shape, p=(0.1, 0.9))
        elif tensor.name.endswith("_scale"):
            values = values * 0.01
        elif "net.3" in tensor.name:  # an untrained head says zero
            values = random.normal(0.0, 0.1, values.shape).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model.SerializeToString()


def asked(candidates: int, horizon: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(seed)
    belief = np.tanh(random.normal(size=(1, 288)))
    actions, noise = (
        np.tanh(random.normal(size=(candidates, horizon, 3))),
        random.normal(size=(candidates, horizon, 32)),
    )
    return tuple(part.astype(np.float32) for part in (belief, actions, noise))


def results(rollout: Rollout, given) -> dict[str, np.ndarray]:
    shape = given[1].shape[:2]
    found = {name: np.empty((*shape, 1) if name == "vector" else shape, np.float32) for name in rollout.heads}
    found["beliefs"] = np.empty((*shape, 288), np.float32)
    rollout(*given, found)
    return found


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def reference(content: bytes, belief, actions, noise) -> dict[str, np.ndarray]:
    """The same in float64, with products of whole numbers."""
    model = read_model(content)
    tensors = iter(model.tensors)

    def take(count: int) -> list:
        return [next(tensors) for _ in range(count)]

    def norm(x, weight, bias):
        away = x - x.mean(-1, keepdims=True)
        return away / np.sqrt(np.square(away).mean(-1, keepdims=True) + model.epsilon) * weight + bias

    def silu(x):
        return x * sigmoid(x)

    def wide(x, weight, scale, bias):
        low, high = np.minimum(x.min(-1, keepdims=True), 0.0), np.maximum(x.max(-1, keepdims=True), 0.0)
        size = (high - low) / 255.0
        zero = np.rint(-low / size)
        cells = np.clip(np.rint(x / size) + zero, 0, 255) - zero
        return cells.astype(np.int64) @ weight.astype(np.int64) * (size * scale) + (0.0 if bias is None else bias)

    first, first_norm, gru, gru_norm, prior, prior_norm, last = (take(count) for count in (2, 2, 3, 2, 3, 2, 2))
    heads = [(head, take(3), take(2), take(2), take(1) if head.kind == BINS else []) for head in model.heads]
    units, reached = model.units, []
    state = np.repeat(belief.astype(np.float64), len(actions), axis=0)
    for h in range(actions.shape[1]):
        x = silu(norm(np.concatenate([state[:, units:], actions[:, h]], 1) @ first[0] + first[1], *first_norm))
        gates = norm(wide(np.concatenate([x, state[:, :units]], 1), *gru), *gru_norm)
        reset, candidate, update = np.split(gates, 3, axis=1)
        candidate, update = np.tanh(sigmoid(reset) * candidate), sigmoid(update + model.update)
        inner = state[:, :units] + update * (candidate - state[:, :units])
        mean, raw = np.split(silu(norm(wide(inner, *prior), *prior_norm)) @ last[0] + last[1], 2, axis=1)
        state = np.concatenate([inner, mean + (np.logaddexp(0.0, raw) + model.least_std) * noise[:, h]], 1)
        reached.append(state)
    found = {"beliefs": np.stack(reached, 1)}
    for head, layer, its_norm, (weight, bias), bins in heads:
        said = silu(norm(wide(found["beliefs"], *layer), *its_norm)) @ weight + bias
        if head.kind == BINS:
            shares = np.exp(said - said.max(-1, keepdims=True))
            said = (shares / shares.sum(-1, keepdims=True)) @ bins[0]
        found[head.name] = sigmoid(said)[..., 0] if head.kind == SIGMOID else said
    return found


@pytest.mark.parametrize("kind", kinds())
def test_products_are_exact_with_the_largest_weights(kind, extreme):
    # Sums in sixteen bits would saturate: 255 * 127 * 2 > 32767. What is left are roundings, and values that they move
    # across the border between two eight-bit numbers.
    given = asked(20, 3)
    found, expected = results(Rollout(extreme, kind=kind), given), reference(extreme, *given)
    assert set(found) == set(expected) == {"reward", "continue", "value", "vector", "beliefs"}
    for name, right in expected.items():
        assert np.median(np.abs(found[name] - right)) < 1e-4 * max(1.0, np.abs(right).max()), name
        assert np.abs(found[name] - right).mean() < 0.01 * np.abs(right).mean() + 1e-4, name


@pytest.mark.parametrize("kind", kinds())
def test_every_answer_is_nearer_to_float32_than_onnxruntimes(kind, tmp_path):
    file = SHIPPED / "imagine.onnx"
    sessions = [
        onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for path in (file, float_copy(file, tmp_path / "float32.onnx"))
    ]
    given = asked(64, 12)
    mine = results(Rollout(file.read_bytes(), kind=kind), given)
    feeds = dict(zip(("belief", "actions", "noise"), given, strict=True))
    theirs, right = (dict(zip(mine, session.run(list(mine), feeds), strict=True)) for session in sessions)
    for name in mine:
        off, limit = (float(np.square(part[name] - right[name]).mean()) for part in (mine, theirs))
        assert 0.0 < off < limit, name


def test_no_candidate_influences_another_nor_does_the_number_of_threads():
    content, given = (SHIPPED / "imagine.onnx").read_bytes(), asked(101, 12)
    together = results(Rollout(content), given)
    apart = results(Rollout(content, threads=2), given)
    belief, actions, noise = given
    for name, values in together.items():
        assert np.array_equal(values, apart[name])
    for number in (0, 50, 100):
        alone = results(Rollout(content), (belief, actions[number : number + 1], noise[number : number + 1]))
        assert all(np.array_equal(values[0], together[name][number]) for name, values in alone.items())


def test_the_engine_imagines_with_it_and_keeps_its_interface():
    lines = []
    engine, other = (
        Engine(load_bundle(SHIPPED), ON_CPU, lines.append),
        Engine(load_bundle(SHIPPED), ALONE, lines.append),
    )
    assert engine.imagination == f"wm_imagination for {kinds()[0]}" and other.imagination == "onnxruntime"
    assert f"imagination by {engine.imagination}" in lines and not engine.self_check.failed
    assert all(engine.self_check.found[name] <= other.self_check.found[name] for name in ("return", "action"))
    for count in (64, 3, 64):  # as many as before, fewer, as many again
        belief, actions, noise = asked(count, 12, seed=count)
        whole, beliefs = engine.imagine_whole(belief, actions, noise)
        reward, value = whole.reward.copy(), whole.value.copy()
        said = engine.imagine(belief, actions, noise)
        assert np.array_equal(said.reward, reward) and np.array_equal(said.value, value)
        assert np.array_equal(engine.imagine_beliefs(belief, actions, noise), beliefs)
        expected, right = other.imagine_whole(belief, actions, noise)
        assert beliefs.shape == right.shape and np.corrcoef(said.reward.ravel(), expected.reward.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_noticed(value):
    engine = Engine(load_bundle(SHIPPED), ON_CPU, lambda line: None)
    belief, actions, noise = asked(10, 12)
    actions[7, 4, 1] = value
    with pytest.raises(NonFiniteError):
        engine.imagine(belief, actions, noise)


@pytest.mark.parametrize("changes", [{"ensemble_size": 2}, {"latent": "categorical", "num_categories": 32}])
def test_onnxruntime_imagines_a_model_of_another_structure(changes, tmp_path):
    bundle, lines = load_bundle(untrained(tmp_path, **changes)), []
    file = bundle.file("imagine.onnx")
    with pytest.raises(UnsuitedError, match="imagine.onnx has another structure"):
        Rollout(file.read_bytes())
    assert Engine(bundle, ON_CPU, lines.append).imagination == "onnxruntime"
    assert Engine(load_bundle(tmp_path / "full/bundle"), ON_CPU, lines.append).imagination == "onnxruntime"
    assert lines[0].startswith("imagination by onnxruntime, not by wm_imagination: imagine.onnx has another structure")


def test_one_that_answers_differently_is_refused():
    session = onnxruntime.InferenceSession(str(SHIPPED / "imagine.onnx"), providers=["CPUExecutionProvider"])
    model = onnx.load(SHIPPED / "imagine.onnx")
    (gain,) = [tensor for tensor in model.graph.initializer if tensor.name == "model.rssm.gru.norm.weight"]
    gain.CopyFrom(numpy_helper.from_array(2.0 * numpy_helper.to_array(gain), gain.name))
    with pytest.raises(UnsuitedError, match="differs from onnxruntime's by"):
        agreeing_rollout(model.SerializeToString(), session)


def test_where_it_fails_the_self_check_onnxruntime_imagines(monkeypatch):
    real, asked_of = engine_module.check, []

    def fails_once(functions, *arguments):
        asked_of.append(functions)
        found = real(functions, *arguments)
        if len(asked_of) == 1:
            found.found["return"] = 1.0
        return found

    monkeypatch.setattr(engine_module, "check", fails_once)
    lines = []
    engine = Engine(load_bundle(SHIPPED), ON_CPU, lines.append)
    assert engine.imagination == "onnxruntime" and engine.unsound == [] and len(asked_of) == 2
    assert "self-check fails: return differs by 1" in lines[0]

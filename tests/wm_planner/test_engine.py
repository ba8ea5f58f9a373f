"""The engine on a real, tiny bundle."""

import dataclasses

import numpy as np
import onnx
import pytest
from tiny_bundle import make_tiny_bundle
from wm_bundle import load_bundle, write_bundle
from wm_planner.engine import PROVIDERS, Engine, EngineSettings
from wm_planner.errors import EngineError, NonFiniteError

CPU = ("CPUExecutionProvider",)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("engine") / "bundle"))


@pytest.fixture(scope="module")
def engine(bundle) -> Engine:
    return Engine(bundle, EngineSettings(providers=CPU), lambda line: None)


def observe(engine, is_first=True, action=(0.0, 0.0, 0.0), belief=None, shade=90):
    image = np.full((3, 64, 64), shade, np.uint8)
    return engine.observe(image, np.array([3.0]), np.array(action),
                          engine.initial_belief() if belief is None else belief, is_first)


def test_shapes_of_all_four_functions(engine):
    manifest = engine.manifest
    size, horizon = manifest.latent.belief, manifest.horizon
    belief, surprise = observe(engine)
    assert belief.shape == (1, size) and surprise >= 0.0
    actions, std = engine.actor(belief)
    assert actions.shape == (horizon, 3) and std.shape == (2,) and (std > 0.0).all()
    candidates = np.repeat(actions[None], 7, axis=0)
    imagined = engine.imagine(belief, candidates, engine.zero_noise(7))
    assert imagined.reward.shape == imagined.continues.shape == imagined.value.shape == (7, horizon)
    beliefs = engine.imagine_beliefs(belief, candidates, engine.zero_noise(7))
    assert beliefs.shape == (7, horizon, size)
    pictures = engine.decode(beliefs[0])
    assert pictures.shape == (horizon, 3, 64, 64) and pictures.dtype == np.uint8


def test_the_first_observation_ignores_belief_and_action(engine):
    belief, _ = observe(engine)
    again, _ = observe(engine, True, (1.0, 1.0, 0.0), belief + 1.0)
    np.testing.assert_array_equal(belief, again)
    later, _ = observe(engine, False, (1.0, 1.0, 0.0), belief)
    assert not np.allclose(belief, later)


def test_candidates_do_not_influence_each_other(engine):
    belief, _ = observe(engine)
    actions = np.random.default_rng(0).uniform(0.0, 0.5, (5, engine.manifest.horizon, 3)).astype(np.float32)
    together = engine.imagine(belief, actions, engine.zero_noise(5))
    alone = engine.imagine(belief, actions[3:4], engine.zero_noise(1))
    np.testing.assert_allclose(together.value[3:4], alone.value, rtol=1e-4, atol=1e-5)
    assert not np.allclose(together.value[3], together.value[2])


def test_says_which_providers_it_refused_and_why(bundle):
    lines = []
    engine = Engine(bundle, EngineSettings(providers=PROVIDERS), lines.append)
    assert lines[-1].startswith(f"inference on {engine.provider}")
    refused = PROVIDERS[: PROVIDERS.index(engine.provider)]
    assert len(lines) == len(refused) + 1
    for provider, line in zip(refused, lines, strict=False):
        assert line.startswith(f"refused {provider}: ")


def test_no_provider_is_an_error_that_names_the_reason(bundle):
    with pytest.raises(EngineError, match="MadeUpExecutionProvider: not in this build"):
        Engine(bundle, EngineSettings(providers=("MadeUpExecutionProvider",)), lambda line: None)


def test_not_finite_is_an_error_that_names_file_and_output(engine):
    with pytest.raises(NonFiniteError, match="observe.onnx.*'next_belief'"):
        observe(engine, False, (np.nan, 0.0, 0.0))


def test_a_wrong_shape_is_an_engine_error(engine):
    with pytest.raises(EngineError, match="actor.onnx failed"):
        engine.actor(np.zeros((1, 3), np.float32))


def test_files_with_another_interface_are_refused(bundle, tmp_path):
    sources = {name: bundle.file(name) for name in bundle.manifest.files}
    model = onnx.load(sources["actor.onnx"])
    for node in model.graph.node:
        node.output[:] = ["spread" if name == "std" else name for name in node.output]
    for output in model.graph.output:
        output.name = "spread" if output.name == "std" else output.name
    onnx.save(model, tmp_path / "actor.onnx")
    sources["actor.onnx"] = tmp_path / "actor.onnx"
    odd = write_bundle(tmp_path / "odd", dataclasses.replace(bundle.manifest, files={}), sources)
    with pytest.raises(EngineError, match="actor.onnx: expected the outputs actions, std, found actions, spread"):
        Engine(odd, EngineSettings(providers=CPU), lambda line: None)


def test_warm_up_times_every_function(engine):
    times = engine.warm_up(8)
    assert set(times) == {"observe", "actor", "imagine", "decode"} and all(ms > 0.0 for ms in times.values())

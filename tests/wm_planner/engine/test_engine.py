"""The engine on a real, tiny bundle."""

import dataclasses
import gc
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_bundle import make_tiny_bundle, tiny_model
from wm_bundle import CameraSpec, ImageSpec, VectorSpec, load_bundle, write_bundle
from wm_bundle.onnx_runtime import onnxruntime
from wm_planner.engine.bindings import DeviceFunction, HostFunction
from wm_planner.engine.engine import Engine
from wm_planner.engine.providers import PROVIDERS, EngineSettings, first_that_works
from wm_planner.errors import EngineError, NonFiniteError
from wm_training.exporting.graphs import export_graphs

CPU = ("CPUExecutionProvider",)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("engine") / "bundle"))


@pytest.fixture(scope="module")
def engine(bundle) -> Engine:
    return Engine(bundle, EngineSettings(providers=CPU), lambda line: None)


def files_of(bundle):
    return {name: bundle.file(name) for name in bundle.manifest.files}


def observe(engine, is_first=True, action=(0.0, 0.0, 0.0), belief=None, shade=90):
    image = np.full((3, 64, 64), shade, np.uint8)
    return engine.observe(
        image, np.array([3.0]), np.array(action), engine.initial_belief() if belief is None else belief, is_first
    )


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


def test_imagined_vector_inputs_are_in_their_units(tmp_path):
    model = tiny_model()
    model.vector_mean.fill_(7.0)
    model.vector_std.fill_(0.5)
    old = load_bundle(make_tiny_bundle(tmp_path / "plain", imagines_vector=True))
    bundle = write_bundle(tmp_path / "bundle", old.manifest, export_graphs(model, tmp_path))
    engine = Engine(bundle, EngineSettings(providers=CPU), lambda line: None)
    belief, _ = observe(engine)
    actions = np.full((3, engine.manifest.horizon, 3), 0.3, np.float32)
    said, beliefs = engine.imagine_whole(belief, actions, engine.zero_noise(3))
    with torch.no_grad():
        expected = 7.0 + 0.5 * model.vector(torch.from_numpy(beliefs.copy())).numpy()
    assert said.vector.shape == (3, engine.manifest.horizon, 1) and said.reward_terms is None
    np.testing.assert_allclose(said.vector, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(engine.imagine(belief, actions, engine.zero_noise(3)).vector, expected, atol=1e-4)


def test_a_bundle_that_does_not_imagine_them_says_nothing_of_vector_inputs(engine):
    belief, _ = observe(engine)
    said = engine.imagine(belief, np.zeros((2, engine.manifest.horizon, 3), np.float32), engine.zero_noise(2))
    assert said.vector is None and said.reward_terms is None


def test_files_that_give_other_signals_than_bundle_json_names_are_refused(tmp_path, bundle):
    told = load_bundle(make_tiny_bundle(tmp_path / "told", imagines_vector=True))
    for manifest, files, words in (
        (told.manifest, bundle, "expected the outputs .*vector"),
        (bundle.manifest, told, "found .*vector"),
        (dataclasses.replace(told.manifest, reward_terms=("jerk",)), told, "expected the outputs .*reward_terms"),
        (
            dataclasses.replace(told.manifest, vector=(*told.manifest.vector, VectorSpec("yaw_rate", "rad/s", 0, 1))),
            told,
            "output 'vector' has 1 numbers, bundle.json names 2",
        ),
    ):
        wrong = write_bundle(tmp_path / "wrong", manifest, files_of(files))
        with pytest.raises(EngineError, match=words):
            Engine(wrong, EngineSettings(providers=CPU), lambda line: None)


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


def test_says_which_installed_providers_it_refused_and_why(bundle, monkeypatch):
    def attempt(provider, graph, settings):
        if provider != "CPUExecutionProvider":
            raise EngineError("no driver")

    lines = []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(PROVIDERS))
    assert set(EngineSettings().providers) == set(PROVIDERS)
    assert first_that_works(EngineSettings(), attempt, "bundle", lines.append) == "CPUExecutionProvider"
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["refused", "TensorrtExecutionProvider"],
        ["refused", "CUDAExecutionProvider"],
    ]
    assert all("no driver" in line for line in lines[:-1]) and lines[-1].startswith("inference on CPU")


def test_providers_that_are_not_installed_are_no_alarm(bundle, monkeypatch):
    lines = []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    Engine(bundle, EngineSettings(), lines.append)
    assert lines[0] == (
        "inference on CPUExecutionProvider with 1 thread(s) (this onnxruntime is one without TensorRT and CUDA)"
    )
    assert not any("refused" in line for line in lines)


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
    sources = files_of(bundle)
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
    assert set(times) == {"observe", "actor", "advance", "imagine", "decode"} and all(ms > 0.0 for ms in times.values())


def test_advance_is_the_mean_prediction_after_the_last_action(engine):
    belief, _ = observe(engine)
    horizon = engine.manifest.horizon
    actions = np.random.default_rng(1).uniform(0.0, 1.0, (horizon, 3)).astype(np.float32)
    along = engine.imagine_beliefs(belief, actions[None], engine.zero_noise(1)).copy()
    for steps in (1, 2, horizon):
        np.testing.assert_array_equal(engine.advance(belief, actions[:steps]), along[:, steps - 1])
    np.testing.assert_array_equal(engine.advance(belief, actions[:0]), belief)
    with pytest.raises(EngineError, match=f"at most {horizon} actions.*found {horizon + 1}"):
        engine.advance(belief, np.zeros((horizon + 1, 3), np.float32))


def test_beliefs_are_the_callers_and_survive_the_next_calls(engine):
    belief, _ = observe(engine)
    kept = belief.copy()
    ahead = engine.advance(belief, np.ones((2, 3), np.float32))
    ahead_kept = ahead.copy()
    observe(engine, False, (1.0, 0.0, 0.0), belief, shade=10)
    engine.advance(belief, np.zeros((3, 3), np.float32))
    np.testing.assert_array_equal(belief, kept)
    np.testing.assert_array_equal(ahead, ahead_kept)


def test_any_number_of_candidates_in_any_order_says_the_same(engine):
    belief, _ = observe(engine)
    actions = np.random.default_rng(2).uniform(0.0, 0.5, (9, engine.manifest.horizon, 3)).astype(np.float32)
    expected = engine.imagine(belief, actions, engine.zero_noise(9)).value.copy()
    for count in (4, 9, 1, 7, 9):
        found = engine.imagine(belief, actions[:count], engine.zero_noise(count)).value
        np.testing.assert_allclose(found, expected[:count], rtol=1e-4, atol=1e-5)


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_nothing_grows_from_frame_to_frame_after_warm_up(engine):
    candidates, horizon = 64, engine.manifest.horizon
    actions = np.random.default_rng(3).uniform(0.0, 1.0, (candidates, horizon, 3)).astype(np.float32)
    noise = engine.zero_noise(candidates)
    belief = engine.initial_belief()

    def drive(frames):
        nonlocal belief
        for frame in range(frames):
            belief, _ = observe(engine, frame == 0, (0.0, 0.3, 0.0), belief)
            engine.advance(belief, actions[0, :2])
            engine.actor(belief)
            for count in (candidates, 1 + frame % candidates):  # a near deadline makes them fewer
                engine.imagine(belief, actions[:count], noise[:count])

    def held() -> tuple[int, int]:
        """Python's small objects, and the process's memory [kB]."""
        gc.collect()
        # Not tracemalloc: what onnxruntime's wrapper allocates by Python and frees without it stays in its books.
        return sys.getallocatedblocks(), resident_kb()

    engine.warm_up(candidates)
    drive(400)  # until every number of candidates was there
    grown = []
    for _ in range(3):  # what grows grows in each; another thread's doing does not
        before = held()
        drive(200)
        grown.append([now - then for now, then in zip(held(), before, strict=True)])
    objects, memory = np.min(grown, axis=0)
    assert objects < 100, grown  # after 200 frames; one kept per frame would be 200
    assert memory < 2000, grown  # 10 kB kept per frame would be 2,000


def test_a_missing_camera_changes_the_belief_and_none_is_all_of_them(tmp_path):
    model = tiny_model(cameras=2, ensemble_size=2, vector_weight=0.0)
    files = export_graphs(model, tmp_path)
    cameras = tuple(CameraSpec(name, 96, 96) for name in ("left", "right"))
    bundle = load_bundle(make_tiny_bundle(tmp_path / "one"))
    manifest = dataclasses.replace(bundle.manifest, image=ImageSpec(64, 64, cameras), files={})
    engine = Engine(write_bundle(tmp_path / "two", manifest, files), EngineSettings(providers=CPU), lambda line: None)
    image = np.random.default_rng(0).integers(0, 256, (6, 64, 64), dtype=np.uint8)

    def seen(mask):
        return engine.observe(image, np.array([3.0]), np.zeros(3), engine.initial_belief(), True, mask)[0]

    np.testing.assert_array_equal(seen(None), seen(np.ones(2, np.float32)))
    one = seen(np.array([1.0, 0.0], np.float32))
    assert not np.allclose(one, seen(None))
    image[3:] = 0  # what a camera that is not there would show does not matter
    np.testing.assert_array_equal(one, seen(np.array([1.0, 0.0], np.float32)))

    actions = np.zeros((3, engine.manifest.horizon, 3), np.float32)
    imagined = engine.imagine(one, actions, engine.zero_noise(3))
    assert imagined.disagreement.shape == imagined.value_disagreement.shape == (3, engine.manifest.horizon)
    assert (imagined.disagreement > 0.0).all()


def test_a_model_without_an_ensemble_has_no_disagreement(engine):
    belief, _ = observe(engine)
    imagined = engine.imagine(belief, np.zeros((2, engine.manifest.horizon, 3), np.float32), engine.zero_noise(2))
    assert imagined.disagreement is None and imagined.value_disagreement is None


def test_tensors_at_fixed_places_of_a_device_say_what_host_memory_says(bundle):
    file = str(bundle.file("imagine.onnx"))
    session = onnxruntime.InferenceSession(file, providers=list(CPU))
    # The processor's memory in the place of a device's: the calls are the same.
    host, device = HostFunction(session, ("reward", "beliefs")), DeviceFunction(session, ("reward", "beliefs"), "cpu")
    random, horizon = np.random.default_rng(4), bundle.manifest.horizon
    for count in (3, 8, 5, 8, 3):
        feeds = {
            "belief": random.normal(size=(1, bundle.manifest.latent.belief)).astype(np.float32),
            "actions": random.uniform(0.0, 1.0, (count, horizon, 3)).astype(np.float32),
            "noise": random.normal(size=(count, horizon, bundle.manifest.latent.stochastic)).astype(np.float32),
        }
        for expected, found in zip(host(feeds, count), device(feeds, count), strict=True):
            np.testing.assert_array_equal(expected, found)
    with pytest.raises(EngineError, match="input 'actions': expected float32 .3, .*found float64"):
        device(feeds | {"actions": feeds["actions"].astype(np.float64)}, 3)


def test_functions_of_one_session_record_graphs_of_their_own(bundle, monkeypatch):
    """A graph's number is the session's: with the same one a function would replay another function's graph."""
    numbers = []
    options = onnxruntime.RunOptions

    class Noted(options):
        def add_run_config_entry(self, key, value):
            numbers.append((key, int(value)))
            super().add_run_config_entry(key, value)

    monkeypatch.setattr(onnxruntime, "RunOptions", Noted)
    file = str(bundle.file("imagine.onnx"))
    session = onnxruntime.InferenceSession(file, providers=list(CPU))
    latent, horizon = bundle.manifest.latent, bundle.manifest.horizon

    def feeds(count: int) -> dict:
        return {
            "belief": np.zeros((1, latent.belief), np.float32),
            "actions": np.zeros((count, horizon, 3), np.float32),
            "noise": np.zeros((count, horizon, latent.stochastic), np.float32),
        }

    for outputs in (("reward", "continue", "value"), ("beliefs",)):
        function = DeviceFunction(session, outputs, "cpu")
        for count in (4, 8, 2):  # the largest so far are recorded, the last is run kernel by kernel
            function(feeds(count), count)
    assert {key for key, _ in numbers} == {"gpu_graph_id"}
    recorded = [number for _, number in numbers if number > 0]
    assert len(set(recorded)) == len(recorded) == 4 and [number for _, number in numbers if number < 0] == [-1, -1]

"""The parts put together on a real, tiny bundle, and tuned while they drive."""

import dataclasses
import time

import numpy as np
import pytest
from fake_clock import FakeClock
from tiny_bundle import make_tiny_bundle, tiny_model
from wm_bundle import load_bundle, write_bundle
from wm_bundle.pictures.frames import Frame, RawImage
from wm_planner.assembly import build, make_tuning, retune
from wm_planner.config import PlannerConfig
from wm_planner.engine.engine import Engine
from wm_planner.errors import ConfigError
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.modes import Mode
from wm_planner.planning.limits import ActionLimits
from wm_training.exporting.graphs import export_graphs

PICTURE = np.full((3, 64, 64), 90, np.uint8)
LONG_S = 60.0  # time enough for every search, on any machine


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("assembly") / "bundle")


def start(folder, **values):
    config = PlannerConfig(bundle=str(folder), **values)
    return config, build(config, lambda line: None)


def plan(parts, tick: int, **arguments):
    parts.planner.observe(PICTURE, np.array([4.0], np.float32), tick * 80_000_000)
    return parts.planner.plan(time.monotonic() + LONG_S, **arguments)


def test_retuning_changes_the_next_plan_and_neither_engine_nor_belief(folder):
    config, parts = start(folder, candidates=32)
    assert plan(parts, 1).candidates.shape[0] == 32
    changed = dataclasses.replace(config, solver="cem", candidates=48, iterations=3, steer_slew=0.01)
    retune(parts, changed)
    after = plan(parts, 2)
    assert after.candidates.shape[0] == 48 and after.iterations == 3
    assert abs(after.action[0]) <= 0.01 + 1e-5
    _, other = start(
        folder, **{name: getattr(changed, name) for name in ("solver", "candidates", "iterations", "steer_slew")}
    )
    plan(other, 1)
    np.testing.assert_array_equal(plan(other, 2).surprise, after.surprise)  # the belief was the same


def test_plans_keep_what_the_vehicle_s_steering_and_motor_can_do(folder):
    """0.5 rad/s for 0.08 s, of 0.4 rad at full steer: 0.1; 1 m/s^2 of the 4 that full throttle means: 0.25."""
    vehicle = {"max_speed": 9.0, "max_steering_angle": 0.4, "steering_rate": 0.5, "max_acceleration": 1.0}
    manifest = load_bundle(folder).manifest
    tuning = make_tuning(PlannerConfig(command_output="ackermann", **vehicle), manifest, False)
    assert tuning.normal.limits.slew[0] == pytest.approx(0.1) and tuning.normal.limits.ceiling == 0.25
    assert tuning.cautious.limits == dataclasses.replace(tuning.normal.limits, ceiling=0.2)
    assert make_tuning(PlannerConfig(**vehicle), manifest, False).normal.limits == ActionLimits((0.4, 1.0))  # pedals


def test_a_tuning_that_the_bundle_cannot_serve_changes_nothing(folder, tmp_path):
    tiny = load_bundle(folder)
    files = {name: tiny.file(name) for name in tiny.manifest.files}
    blind = dataclasses.replace(tiny.manifest, vector=(dataclasses.replace(tiny.manifest.vector[0], unit="km/h"),))
    parts = start(folder)[1]
    parts = dataclasses.replace(parts, bundle=write_bundle(tmp_path / "blind", blind, files))
    expected = plan(parts, 1)
    with pytest.raises(ConfigError, match="steering_speed_cost"):
        retune(parts, PlannerConfig(candidates=16, steering_speed_cost=1.0))
    assert plan(parts, 2).candidates.shape == expected.candidates.shape


def test_the_same_frames_give_the_same_commands(folder):
    def drive():
        parts = start(folder, model_noise=0.5, risk=1.0)[1]
        return np.array([plan(parts, tick).action for tick in range(1, 6)])

    np.testing.assert_array_equal(drive(), drive())


def test_rolling_through_commands_in_flight_is_what_the_model_imagines(folder):
    _, parts = start(folder, solver="actor", steer_slew=2.0, longitudinal_slew=2.0)
    flying = np.array([[0.5, 0.3, 0.0], [-0.5, 0.0, 0.4]], np.float32)
    first = plan(parts, 1, in_flight=flying)
    engine = parts.engine
    belief, _ = engine.observe(PICTURE, np.array([4.0]), np.zeros(3), engine.initial_belief(), True)
    commands, _ = engine.actor(engine.advance(belief, flying))
    np.testing.assert_allclose(first.action, commands[0], atol=1e-6)
    assert np.abs(plan(parts, 2).action - first.action).max() > 0.0


def test_an_ensembles_disagreement_is_the_risk_where_the_bundle_has_one(folder, tmp_path):
    tiny = load_bundle(folder)
    (tmp_path / "graphs").mkdir()
    model = tiny_model(ensemble_size=3, vector_weight=0.0)
    bundle = write_bundle(tmp_path / "ensemble", tiny.manifest, export_graphs(model, tmp_path / "graphs"))
    calm, risky = (plan(start(bundle.path, risk=risk, iterations=1)[1], 1) for risk in (0.0, 2.0))
    # Every plan is imagined once, so all candidates are there; each costs what the members disagree by.
    np.testing.assert_array_equal(risky.candidates, calm.candidates)
    assert len(risky.candidates) == 64
    assert risky.mean_return < calm.mean_return
    sampled = plan(start(folder, risk=2.0)[1], 1)
    assert len(sampled.candidates) == 64 // 4


def test_images_in_the_models_own_size_are_taken_when_they_are_announced_and_refused_otherwise(folder):
    image = RawImage(80_000_000, 64, 64, "rgb8", 3 * 64, PICTURE.transpose(1, 2, 0).tobytes())
    found = []
    for announced in (True, False):
        parts = start(folder, preprocessed_images=announced, deadline_ms=1000.0)[1]
        parts.pilot.take("speed", Sample(80_000_000, 4.0, None))
        found.append(parts.pilot.decide(Frame(80_000_000, (image,), time.monotonic())))
    assert found[0].mode is Mode.DRIVING
    assert found[1].mode is Mode.BRAKING and "expected 96x96" in found[1].reason


def test_what_a_bundle_tells_against_itself_is_logged_when_it_is_loaded(folder, tmp_path):
    tiny = load_bundle(folder)
    files = {name: tiny.file(name) for name in tiny.manifest.files}
    health = {"verdict": "too few updates to judge", "needed_updates": 310}
    young = dataclasses.replace(tiny.manifest, provenance={"training": {"updates": 4, "health": health}})
    write_bundle(tmp_path / "young", young, files)
    said = {}
    for place in (folder, tmp_path / "young"):
        said[place] = []
        build(PlannerConfig(bundle=str(place)), said[place].append)
    doubt = "the model was trained for 4 updates, too few updates to judge, about 310 are needed"
    assert any(doubt in line for line in said[tmp_path / "young"])
    assert not any("too few" in line for line in said[folder])


@pytest.fixture
def slow(monkeypatch) -> FakeClock:
    """The clock of a machine that needs 0.9 ms to imagine a plan."""
    clock = FakeClock()

    class SlowEngine(Engine):
        def imagine(self, belief, actions, noise):
            clock.advance(0.0009 * len(actions))
            return super().imagine(belief, actions, noise)

    monkeypatch.setattr("wm_planner.assembly.Engine", SlowEngine)
    return clock


def test_a_slow_machine_searches_with_what_it_can_afford_and_says_so(folder, slow):
    said, config = [], PlannerConfig(bundle=str(folder))
    parts = build(config, said.append, clock=slow)
    assert parts.afforded(config).candidates == 23  # 42 ms / (2 * 0.9 ms)
    assert len(plan(parts, 1).candidates) == 23
    assert any("2 x 64 candidates take 115.2 ms here, 42.0 of 60 ms" in line for line in said)
    assert any("2 x 23 are searched" in line for line in said)
    retune(parts, dataclasses.replace(config, deadline_ms=100.0))
    assert len(plan(parts, 2).candidates) == 38  # 70 ms / (2 * 0.9 ms)


@pytest.mark.parametrize("values", [{"fit_search": False}, {"lock_step": True}])
def test_in_lock_step_and_on_request_the_whole_search_is_asked_for_on_any_machine(folder, slow, values):
    parts = build(PlannerConfig(bundle=str(folder), **values), lambda line: None, clock=slow)
    assert parts.pace is None and len(plan(parts, 1).candidates) == 64

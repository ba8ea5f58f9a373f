"""Policy files: what is read, what is refused, and what they do in the planner."""

import time
from dataclasses import replace

import numpy as np
import onnx
import pytest
from tiny_bundle import make_tiny_bundle
from tiny_policy import make_tiny_policy
from wm_bundle import CameraSpec, ImageSpec, load_bundle
from wm_bundle.pictures.frames import Frame, RawImage
from wm_bundle.policy import PolicyVectorSpec
from wm_planner.assembly import build, retune
from wm_planner.config import PlannerConfig
from wm_planner.engine.policy import Policy, read_policy
from wm_planner.engine.providers import EngineSettings
from wm_planner.errors import ConfigError, EngineError, NonFiniteError
from wm_planner.pilot.bundle_guard import CHECK_S, BundleGuard
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.decision import BRAKE
from wm_planner.pilot.modes import Mode

CPU = EngineSettings(providers=("CPUExecutionProvider",))
FREE = {"steer_slew": 2.0, "longitudinal_slew": 2.0, "deadline_ms": 10_000.0, "deadline_frames": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("policy") / "bundle")


def opened(file) -> Policy:
    return Policy(read_policy(file), CPU, lambda line: None)


def picture(shade: int) -> np.ndarray:
    return np.full((3, 64, 64), shade, np.uint8)


def test_acts_by_picture_vector_and_previous_action(tmp_path):
    file = make_tiny_policy(
        tmp_path / "a.onnx", (0.1, 0.0, 0.0), of_brightness=(0.5, 0.0, 0.0), of_speed=(0.0, 0.01, 0.0), of_previous=0.5
    )
    action = opened(file).act(picture(102), np.array([20.0]), np.array([0.2, 0.3, 0.1]))
    # steer 0.1 + 0.4 * 0.5 + 0.5 * 0.2; throttle 20 * 0.01 + 0.5 * 0.3; brake 0.5 * 0.1
    np.testing.assert_allclose(action, [0.4, 0.35, 0.05], atol=1e-6)


def test_inputs_that_a_policy_does_not_need_may_be_missing_but_the_image_may_not(tmp_path):
    policy = opened(make_tiny_policy(tmp_path / "a.onnx", (0.1, 0.2, 0.0), inputs=("image",)))
    np.testing.assert_allclose(policy.act(picture(9), np.array([20.0]), np.ones(3)), [0.1, 0.2, 0.0], atol=1e-6)
    model = onnx.load(tmp_path / "a.onnx")
    model.graph.input[0].name = "camera"
    model.graph.node[0].input[0] = "camera"
    onnx.save(model, tmp_path / "blind.onnx")
    with pytest.raises(
        ConfigError,
        match="blind.onnx: expected the input image and none but vector, previous_action "
        "beside it, found camera; write the file with",
    ):
        read_policy(tmp_path / "blind.onnx")


def damaged(folder, name: str):
    """A file that is no policy, and why."""
    file = folder / "policy.onnx"
    if name == "a folder":
        file.mkdir()
    elif name == "text":
        file.write_text("no model at all")
    elif name != "nothing":
        make_tiny_policy(file, picture=(32, 48) if name == "another size" else None)
    if name == "no metadata":
        model = onnx.load(file)
        del model.metadata_props[:]
        onnx.save(model, file)
    if name == "another version":
        model = onnx.load(file)
        entry = model.metadata_props[0]
        entry.value = entry.value.replace('"format_version": 1', '"format_version": 7')
        onnx.save(model, file)
    return file


@pytest.mark.parametrize(
    "name, message",
    [
        ("nothing", "expected an ONNX file, found nothing there"),
        ("a folder", "expected an ONNX file, found a folder"),
        ("text", "expected an ONNX file, found one that onnxruntime refuses"),
        ("no metadata", "expected the metadata property wm_policy, found none"),
        ("another version", "format_version: expected 1, found 7"),
        (
            "another size",
            r"expected the input image as tensor\(uint8\) \(N, 3, 64, 64\), found tensor\(uint8\) "
            r"\(N, 3, 32, 48\)",
        ),
    ],
)
def test_files_that_are_no_policies_are_refused_with_their_name_and_what_to_do(tmp_path, name, message):
    file = damaged(tmp_path, name)
    with pytest.raises(ConfigError, match=message) as refusal:
        read_policy(file)
    assert str(file) in str(refusal.value) and "ros2 run wm_training clone" in str(refusal.value)


TWO_INPUTS = (PolicyVectorSpec("speed", "m/s"), PolicyVectorSpec("yaw_rate", "rad/s"))


@pytest.mark.parametrize(
    "overrides, message",
    [
        (
            {"image": ImageSpec(32, 64, (CameraSpec("rgb_front", 96, 96),))},
            "expected the pictures of bundle tiny-test: 64x64 from rgb_front 96x96, found 64x32 from rgb_front 96x96",
        ),
        (
            {"image": ImageSpec(64, 64, (CameraSpec("rgb_front", 96, 96, (0, 0, 84, 96)),))},
            r"found 64x64 from rgb_front 96x96 cropped to top, left, height, width \(0, 0, 84, 96\)",
        ),
        (
            {"vector": TWO_INPUTS},
            r"expected the vector inputs of bundle tiny-test: speed \[m/s\], found speed \[m/s\], yaw_rate \[rad/s\]",
        ),
        ({"vector": (PolicyVectorSpec("speed", "km/h"),)}, r"found speed \[km/h\]"),
        (
            {"control_period_s": 0.1},
            "expected the period of bundle tiny-test: 0.08 s, found 0.1 s; train the policy on",
        ),
    ],
)
def test_a_policy_made_for_other_pictures_inputs_or_rates_drives_with_no_bundle(folder, tmp_path, overrides, message):
    file = make_tiny_policy(tmp_path / "other.onnx", **overrides)
    with pytest.raises(ConfigError, match=message):
        build(PlannerConfig(bundle=str(folder), proposal_policy=str(file)), lambda line: None)


def test_vector_inputs_that_a_policy_never_looks_at_need_not_be_the_bundles(folder, tmp_path):
    file = make_tiny_policy(tmp_path / "blind.onnx", vector=TWO_INPUTS, inputs=("image",))
    read_policy(file).check_fits(load_bundle(folder).manifest)


def test_an_action_that_is_not_finite_is_an_error_that_names_the_file(tmp_path):
    file = make_tiny_policy(tmp_path / "a.onnx")
    with pytest.raises(NonFiniteError, match="a.onnx: output 'action' is not finite"):
        opened(file).act(picture(255), np.zeros(1), np.zeros(3))
    always = make_tiny_policy(tmp_path / "b.onnx", (np.nan, 0.0, 0.0))
    with pytest.raises(EngineError, match="no execution provider can run.*b.onnx: output 'action' is not finite"):
        opened(always)


def start(folder, file, **values):
    return build(PlannerConfig(bundle=str(folder), proposal_policy=str(file), **{**FREE, **values}), lambda line: None)


def decide(parts, tick: int, shade: int = 90, speed: float = 4.0, applied=None):
    stamp_ns = tick * 80_000_000
    parts.pilot.take("speed", Sample(stamp_ns, speed, applied))
    image = RawImage(stamp_ns, 96, 96, "rgb8", 3 * 96, np.full((96, 96, 3), shade, np.uint8).tobytes())
    return parts.pilot.decide(Frame(stamp_ns, (image,), time.monotonic()))


def test_the_solver_policy_commands_what_the_policy_says(folder, tmp_path):
    file = make_tiny_policy(tmp_path / "a.onnx", (0.3, 0.1, 0.0), of_speed=(0.0, 0.05, 0.0), of_previous=-0.5)
    parts = start(folder, file, solver="policy")
    # Nothing was applied before the first image of an episode, whatever the status says.
    np.testing.assert_allclose(decide(parts, 1, applied=(1.0, 0.0, 1.0)).command, [0.3, 0.3, 0.0], atol=1e-6)
    decision = decide(parts, 2, applied=(0.2, 0.2, 0.0))
    np.testing.assert_allclose(decision.command, [0.2, 0.2, 0.0], atol=1e-6)  # 0.3 - 0.1; 0.1 + 0.2 - 0.1
    assert decision.plan.candidates.shape == (1, 5, 3) and np.isfinite(decision.plan.best_return)
    # After its action the plan is what the actor does then.
    engine = parts.engine
    actions, _ = engine.actor(engine.advance(parts.planner.belief, decision.command[None]))
    np.testing.assert_allclose(decision.plan.actions[1:], actions[:-1], atol=1e-5)


def test_limits_hold_for_the_policy_too(folder, tmp_path):
    file = make_tiny_policy(tmp_path / "a.onnx", (0.9, 0.8, 0.0))
    parts = start(folder, file, solver="policy", steer_slew=0.4, longitudinal_slew=0.5)
    np.testing.assert_allclose(decide(parts, 1).command, [0.4, 0.5, 0.0], atol=1e-6)


@pytest.mark.parametrize("solver", ["policy", "mppi"])
def test_a_policy_that_says_nan_brakes_and_drives_on_when_it_does_not(folder, tmp_path, solver):
    parts = start(folder, make_tiny_policy(tmp_path / "a.onnx"), solver=solver)
    assert decide(parts, 1).mode is Mode.DRIVING
    braked = decide(parts, 2, shade=255)
    assert braked.mode is Mode.BRAKING and (braked.command == BRAKE).all()
    assert "a.onnx: output 'action' is not finite" in braked.reason
    assert decide(parts, 3).mode is Mode.DRIVING


@pytest.mark.parametrize("solver", ["shooting", "cem", "mppi"])
def test_every_search_has_a_candidate_that_begins_with_the_policys_action(folder, tmp_path, solver):
    parts = start(folder, make_tiny_policy(tmp_path / "a.onnx", (0.7, 0.6, 0.0)), solver=solver)
    for tick in (1, 2):
        first = decide(parts, tick).plan.candidates[:, 0]
        assert np.isclose(first, [0.7, 0.6, 0.0], atol=1e-6).all(axis=1).any()


def test_a_retuned_planner_changes_between_policy_and_search(folder, tmp_path):
    config = PlannerConfig(bundle=str(folder), proposal_policy=str(make_tiny_policy(tmp_path / "a.onnx")), **FREE)
    parts = build(config, lambda line: None)
    assert len(decide(parts, 1).plan.candidates) == 64
    retune(parts, replace(config, solver="policy"))
    np.testing.assert_allclose(decide(parts, 2).command, [0.2, 0.5, 0.0], atol=1e-6)


def test_a_policy_file_that_changes_while_it_drives_is_a_fault(folder, tmp_path, clock):
    file = make_tiny_policy(tmp_path / "a.onnx")
    guard = BundleGuard(load_bundle(folder), clock, read_policy(file))
    clock.advance(CHECK_S)
    assert guard.fault() is None
    make_tiny_policy(file, (0.0, 0.1, 0.0))
    clock.advance(CHECK_S)
    assert guard.fault() == (
        f"policy file {file} was changed while it drove: put the old one back, or configure the "
        f"planner again to drive with the new policy"
    )

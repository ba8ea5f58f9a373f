"""Checks a planner's parameters and its model before anything runs, so that faults are reported to the user at once,
and not by one of several processes already started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from wm_bundle import Bundle, BundleError, BundleManifest, CameraSpec, ImageSpec, load_bundle
from wm_bundle.free_signals import SignalError, bundle_inputs, installed, read_signals
from wm_bundle.routes import is_route_input
from wm_bundle.vector_inputs import VectorInput

from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.planning.costs import check_costs

if TYPE_CHECKING:
    from wm_planner.engine.policy import PolicyFile


def check(values: Mapping[str, bool | int | float | str]) -> BundleManifest:
    """Check the planner's parameters as far as that is possible without running a model; returns the bundle's manifest.

    Raises ConfigError for anything that the node would refuse.
    """
    config = PlannerConfig.from_values(dict(values))
    manifest = _bundle(config).manifest
    try:
        _policy(config, manifest)
    except ModuleNotFoundError as error:
        # A real `ros2 launch` runs in ROS's own Python, without onnxruntime: then the node checks the policy.
        if error.name != "onnxruntime":
            raise
    with_messages(inputs_of(config, manifest))
    check_route(config, manifest)
    check_costs(config, manifest)
    image_topics(config, [camera.name for camera in manifest.image.cameras], manifest.control_period_s)
    return manifest


def load_models(config: PlannerConfig) -> tuple[Bundle, PolicyFile | None]:
    """The bundle, for preprocessed images if configured, and the matching policy. Raises ConfigError."""
    bundle = _bundle(config)
    policy = _policy(config, bundle.manifest)
    if config.preprocessed_images:
        bundle = replace(
            bundle, manifest=replace(bundle.manifest, image=for_preprocessed_images(bundle.manifest.image))
        )
    return bundle, policy


def _bundle(config: PlannerConfig) -> Bundle:
    if not config.bundle:
        raise ConfigError(
            "parameter bundle: expected the folder of a model bundle, found nothing; set it with -p bundle:=FOLDER"
        )
    try:
        return load_bundle(config.bundle)
    except BundleError as error:
        raise ConfigError(str(error)) from error


def _policy(config: PlannerConfig, manifest: BundleManifest) -> PolicyFile | None:
    if not config.proposal_policy:
        return None
    from wm_planner.engine.policy import read_policy  # needs onnxruntime

    policy = read_policy(config.proposal_policy)
    policy.check_fits(manifest)
    return policy


def for_preprocessed_images(image: ImageSpec) -> ImageSpec:
    """The same image, from cameras that send the model's size."""
    return replace(image, cameras=tuple(CameraSpec(camera.name, image.height, image.width) for camera in image.cameras))


def inputs_of(config: PlannerConfig, manifest: BundleManifest) -> tuple[VectorInput, ...]:
    """The bundle's vector inputs, in its order. Raises ConfigError for one that is unknown or in another unit, for a
    signals file that cannot be used, and for a surprise threshold that is not positive."""
    threshold = manifest.surprise_threshold
    if not threshold > 0.0:
        raise ConfigError(
            f"bundle {manifest.model_id} has the surprise threshold {threshold:g} nats, expected above "
            f"0: export it again"
        )
    with _as_config_error():
        return bundle_inputs(manifest, read_signals(config.signals_file) if config.signals_file else {})


def check_route(config: PlannerConfig, manifest: BundleManifest) -> None:
    """Raise ConfigError where no route is to be followed and the bundle needs one."""
    needed = [spec.name for spec in manifest.vector if is_route_input(spec.name) and not spec.gaps]
    if config.route == "off" and needed:
        raise ConfigError(
            f"parameter route: expected auto or required, as bundle {manifest.model_id} needs {needed[0]}, found off"
        )


def with_messages(entries: Iterable[VectorInput]) -> list[VectorInput]:
    """Inputs with what their installed messages tell. Raises ConfigError where one of a free signal's is missing."""
    with _as_config_error():
        return [installed(entry) for entry in entries]


@contextmanager
def _as_config_error() -> Iterator[None]:
    try:
        yield
    except SignalError as error:
        raise ConfigError(str(error)) from error


def image_topics(config: PlannerConfig, cameras: list[str], period_s: float) -> list[str]:
    """The topic of each camera, without the transport's ending.

    Raises ConfigError where several cameras share a topic, and for a tolerance that mixes pictures of one moment with
    those of the next, ``period_s`` later.
    """
    pattern = config.topic("image_topic")
    if len(cameras) > 1 and "{camera}" not in pattern:
        raise ConfigError(
            f"parameter image_topic: expected {{camera}} in it, for the bundle's cameras "
            f"{', '.join(cameras)}; found '{pattern}'"
        )
    if len(cameras) > 1 and config.camera_tolerance_ms >= 500.0 * period_s:
        raise ConfigError(
            f"parameter camera_tolerance_ms: expected less than half the bundle's control period, "
            f"{500.0 * period_s:g} ms, found {config.camera_tolerance_ms:g}"
        )
    return [pattern.replace("{camera}", camera) for camera in cameras]

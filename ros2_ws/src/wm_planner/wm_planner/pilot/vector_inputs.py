"""Vector inputs a bundle may ask for, and where they come from."""

from collections.abc import Callable

from wm_bundle import BundleManifest

from wm_planner.errors import ConfigError
from wm_planner.pilot.continuity import StatusSample, YawRateSample

SPEED, YAW_RATE = ("speed", "m/s"), ("yaw_rate", "rad/s")
VECTOR_SOURCES: dict[tuple[str, str], Callable[[StatusSample, YawRateSample], float]] = {
    SPEED: lambda status, turning: status.speed_mps,
    YAW_RATE: lambda status, turning: turning.yaw_rate_rps,
}


def needs_yaw_rate(manifest: BundleManifest) -> bool:
    """Whether a bundle has the yaw rate among its vector inputs."""
    return any((entry.name, entry.unit) == YAW_RATE for entry in manifest.vector)


def check_inputs(manifest: BundleManifest) -> None:
    """Raise ConfigError for a bundle that needs inputs this planner does not have, or whom everything surprises."""
    threshold = manifest.surprise_threshold
    if not threshold > 0.0:
        raise ConfigError(
            f"bundle {manifest.model_id} has the surprise threshold {threshold:g} nats, expected above "
            f"0: export it again"
        )
    for entry in manifest.vector:
        if (entry.name, entry.unit) not in VECTOR_SOURCES:
            known = ", ".join(f"{name} [{unit}]" for name, unit in VECTOR_SOURCES)
            raise ConfigError(
                f"bundle {manifest.model_id} needs the vector input {entry.name} [{entry.unit}]; "
                f"this planner provides {known}"
            )


def speed_index(manifest: BundleManifest) -> int | None:
    """Which of the bundle's vector inputs is the speed in m/s."""
    inputs = [(entry.name, entry.unit) for entry in manifest.vector]
    return inputs.index(("speed", "m/s")) if ("speed", "m/s") in inputs else None

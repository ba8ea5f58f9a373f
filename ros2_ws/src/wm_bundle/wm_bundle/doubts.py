"""Reasons in a bundle's training record not to drive with it."""

from collections.abc import Mapping
from typing import Any

TOO_FEW_UPDATES = "too few updates to judge"
"""The verdict on a training too short to judge."""


def doubts(provenance: Mapping[str, Any]) -> list[str]:
    """Warnings about driving the model of a bundle with this ``provenance``; none if it reports nothing bad, or
    nothing."""
    training = _mapping(provenance.get("training"))
    health = _mapping(training.get("health"))
    if health.get("verdict") == TOO_FEW_UPDATES:
        needed = health.get("needed_updates")
        more = f", about {needed:,} are needed" if isinstance(needed, int) else ""
        return [f"the model was trained for {training.get('updates')} updates, {TOO_FEW_UPDATES}{more}"]
    findings = health.get("findings")
    warned = [
        str(found.get("issue"))
        for found in (findings if isinstance(findings, list) else [])
        if isinstance(found, Mapping) and found.get("severity") == "warning"
    ]
    return [f"the training of the model was found to suffer from {', '.join(warned)}"] if warned else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

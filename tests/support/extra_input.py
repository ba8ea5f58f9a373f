"""A vector input that is one more entry of the registry, and nothing else."""

import dataclasses

import pytest
from wm_bundle.vector_inputs import IMU, VECTOR_INPUTS, Source, VectorInput

ACCELERATION = VectorInput("acceleration_along", "m/s²", (Source(IMU, "linear_acceleration.x"),))


def register(monkeypatch: pytest.MonkeyPatch, **changes) -> VectorInput:
    """Enter it for the length of a test."""
    entry = dataclasses.replace(ACCELERATION, **changes)
    monkeypatch.setitem(VECTOR_INPUTS, entry.name, entry)
    return entry

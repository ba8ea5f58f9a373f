"""A vector input of the registry that is converted, and where a test says so recorded, without being asked for."""

import dataclasses

import pytest
from wm_bundle.vector_inputs import VECTOR_INPUTS, VectorInput


def register(monkeypatch: pytest.MonkeyPatch, **changes) -> VectorInput:
    """Change its entry for the length of a test."""
    entry = dataclasses.replace(VECTOR_INPUTS["acceleration_along"], converted=True, **changes)
    monkeypatch.setitem(VECTOR_INPUTS, entry.name, entry)
    return entry

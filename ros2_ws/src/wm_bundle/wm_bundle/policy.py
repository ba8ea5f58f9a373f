"""The manifest in a policy file's (``*.onnx``) ONNX metadata; docs/cloning.md has the complete contract."""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wm_bundle.manifest import ImageSpec
from wm_bundle.strict_json import read, require

POLICY_FORMAT_VERSION = 1
POLICY_PROPERTY = "wm_policy"
"""Name of the ONNX metadata property that holds the manifest as JSON."""
_POLICY_ID = re.compile(r"[^\s/\\]+-[0-9a-f]{8}")


class PolicyError(ValueError):
    """A policy file that cannot be used, and why."""


@dataclass(frozen=True)
class PolicyVectorSpec:
    """One vector input in physical units: the policy normalises it itself."""

    name: str
    unit: str


@dataclass(frozen=True)
class PolicyManifest:
    """The metadata of a policy: its inputs, and how it was made.

    ``policy_id`` is a name, a dash and the first 8 hex digits of the weights' SHA-256. ``vector`` are the numbers of
    input ``vector`` in order, ``control_period_s`` [s] the period of its training pictures,
    ``provenance`` how it was made.
    """

    policy_id: str
    image: ImageSpec
    vector: tuple[PolicyVectorSpec, ...]
    control_period_s: float
    provenance: dict[str, Any] = field(default_factory=dict)
    format_version: int = POLICY_FORMAT_VERSION

    def __post_init__(self):
        id_fits = _POLICY_ID.fullmatch(self.policy_id) is not None
        require(id_fits, "policy_id", "a name, a dash and 8 hexadecimal digits", repr(self.policy_id))
        names = [spec.name for spec in self.vector]
        require(len(set(names)) == len(names), "vector", "names that are unique", names)
        require(0.0 < self.control_period_s <= 10.0, "control_period_s", "in (0, 10] s", self.control_period_s)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for json.dumps."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Any, where: str = "policy") -> "PolicyManifest":
        """Read parsed JSON strictly.

        Raises PolicyError, which begins with ``where`` (the file), for another format version and for a key that is
        missing, unknown or of a wrong type or value.
        """
        version = values.get("format_version") if isinstance(values, dict) else None
        try:
            if version is not None:
                # First, because the keys of another version are not known here.
                require(version == POLICY_FORMAT_VERSION, "format_version", str(POLICY_FORMAT_VERSION), version)
            return read(cls, values, POLICY_PROPERTY)
        except ValueError as error:
            raise PolicyError(f"{where}: {error}; {_REMEDY}") from None

    def to_metadata(self) -> dict[str, str]:
        """The manifest as ONNX metadata properties."""
        return {POLICY_PROPERTY: json.dumps(self.to_json(), sort_keys=True, allow_nan=False)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], where: str = "policy") -> "PolicyManifest":
        """Read the metadata properties of an ONNX file (onnxruntime: ``get_modelmeta().custom_metadata_map``).

        Raises PolicyError, which begins with ``where`` (the file), when the manifest is missing or invalid.
        """
        text = metadata.get(POLICY_PROPERTY)
        if text is None:
            found = ", ".join(sorted(metadata)) or "none"
            raise PolicyError(
                f"{where}: expected the metadata property {POLICY_PROPERTY}, found {found}: it is not a policy of this "
                f"project; {_REMEDY}"
            )
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PolicyError(f"{where}: expected JSON in {POLICY_PROPERTY}, found {error}; {_REMEDY}") from None
        return cls.from_json(values, where)


_REMEDY = "write the file with `ros2 run wm_training clone`, or with a metadata property as in docs/cloning.md"

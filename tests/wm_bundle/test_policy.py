import json
from dataclasses import replace

import pytest
from wm_bundle import CameraSpec, ImageSpec
from wm_bundle.policy import POLICY_PROPERTY, PolicyError, PolicyManifest, PolicyVectorSpec

MANIFEST = PolicyManifest(
    policy_id="my-clone-0123abcd",
    image=ImageSpec(64, 64, (CameraSpec("rgb_front", 96, 96, crop=(0, 0, 90, 96)),)),
    vector=(PolicyVectorSpec("speed", "m/s"),),
    control_period_s=0.08,
    provenance={"seed": 0, "data": {"rows": 5}},
)


def test_a_manifest_comes_back_from_the_metadata_as_it_went_in():
    metadata = MANIFEST.to_metadata()
    assert list(metadata) == [POLICY_PROPERTY] == ["wm_policy"]
    assert PolicyManifest.from_metadata({"other": "1", **metadata}) == MANIFEST


def test_the_picture_is_described_as_in_a_bundle():
    values = json.loads(MANIFEST.to_metadata()[POLICY_PROPERTY])
    camera = {"name": "rgb_front", "source_height": 96, "source_width": 96, "crop": [0, 0, 90, 96], "letterbox": False}
    assert values["image"] == {"height": 64, "width": 64, "cameras": [camera]}
    assert values["vector"] == [{"name": "speed", "unit": "m/s"}] and values["format_version"] == 1


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"format_version": 2, "new_key": 1}, "format_version: expected 1, found 2"),
        ({"policy_id": "clone"}, "policy_id: expected a name, a dash and 8 hexadecimal digits, found 'clone'"),
        ({"control_period_s": 0.0}, "control_period_s: expected in (0, 10] s, found 0.0"),
        ({"control_period_s": "fast"}, "wm_policy.control_period_s: expected a finite number, found fast"),
        ({"vector": [{"name": "speed"}]}, "missing unit"),
        ({"vector": [{"name": "speed", "unit": "m/s"}] * 2}, "vector: expected names that are unique"),
        ({"image": None}, "wm_policy.image: expected an object, found None"),
        ({"weights": 1}, "unknown weights"),
    ],
)
def test_a_bad_manifest_is_refused_with_the_file_what_was_expected_and_what_to_do(changes, words):
    with pytest.raises(PolicyError) as error:
        PolicyManifest.from_json(json.loads(json.dumps(MANIFEST.to_json())) | changes, "p.onnx")
    assert (
        str(error.value).startswith("p.onnx: ")
        and words in str(error.value)
        and "wm_training clone" in str(error.value)
    )


@pytest.mark.parametrize(
    "metadata", [{}, {"author": "x"}, {"wm_policy": "{"}, {"wm_policy": "[1]"}, {"wm_policy": "["}]
)
def test_metadata_without_a_manifest_is_refused_with_one_line(metadata):
    with pytest.raises(PolicyError, match="p.onnx: ") as error:
        PolicyManifest.from_metadata(metadata, "p.onnx")
    assert "expected" in str(error.value) and "found" in str(error.value) and "\n" not in str(error.value)


def test_numbers_that_json_does_not_know_are_not_written():
    with pytest.raises(ValueError):
        replace(MANIFEST, provenance={"loss": float("nan")}).to_metadata()

import json
from pathlib import Path

import pytest
from tiny_bundle import damage, make_tiny_bundle
from wm_bundle import BundleError, BundleManifest, load_bundle, write_bundle


@pytest.fixture
def bundle(tmp_path):
    return make_tiny_bundle(tmp_path / "bundle")


def edit(bundle, **changes):
    file = bundle / "bundle.json"
    values = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in values.items() if value is not ...}))


def test_written_bundle_is_read_back_the_same(bundle):
    manifest = load_bundle(bundle).manifest
    assert BundleManifest.from_json(json.loads(json.dumps(manifest.to_json()))) == manifest
    assert load_bundle(bundle).file("observe.onnx").is_file()


@pytest.mark.parametrize("name", ["observe.onnx", "imagine.onnx", "actor.onnx", "decode.onnx"])
def test_one_changed_byte_is_noticed_in_every_file(bundle, name):
    damage(bundle, name)
    with pytest.raises(BundleError, match=f"{name}.*damaged"):
        load_bundle(bundle)


def test_missing_file_folder_and_manifest_are_named(bundle, tmp_path):
    (bundle / "actor.onnx").unlink()
    with pytest.raises(BundleError, match="actor.onnx is missing"):
        load_bundle(bundle)
    (bundle / "bundle.json").unlink()
    with pytest.raises(BundleError, match="no bundle.json"):
        load_bundle(bundle)
    with pytest.raises(BundleError, match="no bundle at"):
        load_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"format_version": 2}, "format_version: expected 1, found 2"),
        ({"horizon": ...}, "missing horizon"),
        ({"horizon": 2.5}, "horizon.*int"),
        ({"colour": "red"}, "unknown colour"),
        ({"control_period_s": -1}, "control_period_s"),
        ({"files": {}}, "lists no checksum of observe.onnx"),
        (
            {
                "files": {
                    name: {"sha256": "0", "bytes": 1}
                    for name in ("observe.onnx", "imagine.onnx", "actor.onnx", "decode.onnx", "../../secret")
                }
            },
            "plain name|damaged",
        ),
    ],
)
def test_wrong_manifest_is_refused_with_the_reason(bundle, changes, words):
    edit(bundle, **changes)
    with pytest.raises(BundleError, match=words):
        load_bundle(bundle)


def test_manifest_that_is_not_json_is_refused(bundle):
    (bundle / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match="cannot be used"):
        load_bundle(bundle)


def test_a_folder_that_is_no_bundle_is_never_replaced(bundle, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    manifest = load_bundle(bundle).manifest
    with pytest.raises(BundleError, match="is not a bundle"):
        write_bundle(precious, manifest, {name: bundle / name for name in manifest.files})
    assert [file.name for file in precious.iterdir()] == ["thesis.txt"]


def test_a_failed_write_leaves_the_old_bundle_and_nothing_else(bundle):
    manifest = load_bundle(bundle).manifest
    with pytest.raises(FileNotFoundError):
        write_bundle(bundle, manifest, {"observe.onnx": bundle / "no such file"})
    assert load_bundle(bundle).manifest == manifest
    assert [entry.name for entry in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("failing", [1, 2])
def test_a_failed_rename_leaves_the_old_bundle_and_nothing_else(failing, bundle, monkeypatch):
    """The first rename moves the old bundle aside, the second puts the new one in its place, a third the old one."""
    manifest = load_bundle(bundle).manifest
    calls, rename = [], Path.rename

    def fails_once(self, target):
        calls.append(self)
        if len(calls) == failing:
            raise PermissionError("injected")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(PermissionError, match="injected"):
        write_bundle(bundle, manifest, {name: bundle / name for name in manifest.files})
    assert len(calls) == {1: 1, 2: 3}[failing]
    assert load_bundle(bundle).manifest == manifest
    assert [entry.name for entry in bundle.parent.iterdir()] == ["bundle"]

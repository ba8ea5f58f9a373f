"""The guard of the bundle's files, on files of its own."""

import os
from dataclasses import replace

import pytest
from wm_bundle import write_bundle
from wm_planner.pilot.bundle_guard import CHECK_S, BundleGuard


@pytest.fixture
def bundle(manifest, tmp_path):
    sources = {}
    for name in ("observe.onnx", "imagine.onnx", "actor.onnx", "decode.onnx"):
        sources[name] = tmp_path / name
        sources[name].write_bytes(name.encode() * 100)
    return write_bundle(tmp_path / "bundle", manifest, sources)


@pytest.fixture
def guard(bundle, clock) -> BundleGuard:
    return BundleGuard(bundle, clock)


def fault(guard, clock):
    """What it says at its next look at the disk."""
    clock.advance(CHECK_S)
    return guard.fault()


def test_says_nothing_while_nothing_changes(guard, clock):
    assert not any(fault(guard, clock) for _ in range(5))


@pytest.mark.parametrize("name", ["imagine.onnx", "bundle.json"])
def test_a_changed_file_is_a_fault_until_the_old_content_is_back(guard, bundle, clock, name):
    file = bundle.file(name)
    before = file.read_bytes()
    file.write_bytes(b"x" + before[1:])  # the same size
    os.utime(file, ns=(1, 1))  # a clock too coarse to show the change must not hide it
    assert f"{file} was changed" in fault(guard, clock)
    assert "changed" in fault(guard, clock)
    file.write_bytes(before)
    assert fault(guard, clock) is None


def test_a_removed_file_is_a_fault(guard, bundle, clock):
    before = bundle.file("actor.onnx").read_bytes()
    bundle.file("actor.onnx").unlink()
    assert "removed" in fault(guard, clock)
    bundle.file("actor.onnx").write_bytes(before)
    assert fault(guard, clock) is None


def test_a_bundle_put_in_its_place_is_a_fault(guard, bundle, manifest, clock):
    sources = {name: bundle.file(name) for name in bundle.manifest.files}
    write_bundle(bundle.path, replace(manifest, model_id="another"), sources)
    assert "bundle.json was changed" in fault(guard, clock)


def test_a_file_that_was_only_touched_is_no_fault(guard, bundle, clock):
    os.utime(bundle.file("observe.onnx"), ns=(1, 1))
    assert fault(guard, clock) is None


def test_looks_at_the_disk_only_now_and_then(guard, bundle, clock):
    assert fault(guard, clock) is None
    bundle.file("actor.onnx").unlink()
    clock.advance(0.9 * CHECK_S)
    assert guard.fault() is None
    clock.advance(0.2 * CHECK_S)
    assert "removed" in guard.fault()

"""Eight-bit products on x86-64 processors without AVX-512 and VNNI, which qemu-user plays here."""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from exact_products import with_exact_products, with_signed_weights
from tiny_bundle import make_tiny_bundle, tiny_model
from wm_bundle import LatentSpec, load_bundle, write_bundle
from wm_bundle.manifest import SELF_CHECK_FILE
from wm_evaluation.imagined_frames import imagined
from wm_training.exporting import self_check
from wm_training.exporting.file_model import FileModel
from wm_training.exporting.graphs import export_graphs
from wm_training.exporting.quantization import quantize

SCRIPT = Path(__file__).parents[2] / "support/other_processor.py"
CANDIDATES = 8


def emulator() -> str | None:
    return next((path for path in map(shutil.which, ("qemu-x86_64", "qemu-x86_64-static")) if path), None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The models and inputs of other_processor.py: a roll-out whose recurrent product is in eight bits."""
    folder = tmp_path_factory.mktemp("eight_bit")
    model = tiny_model(state_dim=128, deterministic_dim=128, hidden_dim=256, vector_weight=0.0)
    exported = export_graphs(model, folder)
    assert quantize(exported["imagine.onnx"], folder / "uint8.onnx") == 5
    reduced = onnx.load(folder / "uint8.onnx")
    onnx.save(with_signed_weights(reduced), folder / "int8.onnx")
    onnx.save(with_exact_products(reduced), folder / "exact.onnx")
    _write_bundle(folder, model, exported)
    random, horizon, latent = np.random.default_rng(0), model.config.imagination_horizon, model.config.latent_dim
    np.savez(
        folder / "inputs.npz",
        belief=random.normal(size=(1, model.config.belief_size)).astype(np.float32),
        actions=random.uniform(size=(CANDIDATES, horizon, 3)).astype(np.float32),
        noise=np.zeros((CANDIDATES, horizon, latent), np.float32),
    )
    return folder


def _write_bundle(folder: Path, model, exported: dict[str, Path]) -> None:
    """One of an earlier version's weights with a self-check, into folder/bundle."""
    files = exported | {"imagine.onnx": folder / "int8.onnx"}
    manifest = load_bundle(make_tiny_bundle(folder / "tiny")).manifest
    manifest = replace(manifest, files={}, latent=LatentSpec("gaussian", 128, model.config.latent_dim))
    full = FileModel(manifest, exported)
    # How far int8 is from float32 is measured with the weights as uint8: exactly, whatever processor this is.
    exact = exported | {"imagine.onnx": folder / "uint8.onnx"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(self_check, "_BELIEFS", 4)  # emulation is slow
        patch.setattr(self_check, "_PLANS", 8)
        checked, _ = self_check.add_self_check(manifest, exact, full, "float32", imagined(full, 40, 0), folder)
    write_bundle(folder / "bundle", checked, files | {SELF_CHECK_FILE: folder / SELF_CHECK_FILE})


def differences(folder: Path, *before: str) -> dict:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",  # or ROS's wheels begin the process anew, on this processor
        # qemu 7.2 plays numpy's AVX2 code wrong (gathers and half precision); onnxruntime's it plays right.
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 AVX2 FMA3 F16C" if before else "",
    }
    done = subprocess.run(
        [*before, sys.executable, SCRIPT, folder], env=environment, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="another kind of processor is played on x86-64 only")
@pytest.mark.skipif(emulator() is None, reason="no qemu-x86_64 (Debian's and Ubuntu's package qemu-user)")
def test_without_vnni_the_exported_weights_are_exact_and_those_of_earlier_versions_are_made_so(folder):
    found = differences(folder, emulator(), "-cpu", "Haswell")
    assert found["signed is exact"] is False
    assert found["int8"] > 0.1, "this is the fault: if it is gone, the test says nothing any more"
    assert [found[name] for name in ("uint8", "suited uint8", "suited int8")] == [0.0, 0.0, 0.0]
    assert found["self-check"].startswith("self-check holds")
    assert "self-check fails: " in found["self-check of int8"], "nobody drives with such sums"


def test_on_this_processor_what_is_driven_is_exact(folder):
    found = differences(folder)
    assert [found[name] for name in ("uint8", "suited uint8", "suited int8")] == [0.0, 0.0, 0.0]
    assert found["signed is exact"] == (found["int8"] == 0.0)
    assert found["self-check"].startswith("self-check holds")

"""result.json of a verification; docs/gpu.md documents it."""

from dataclasses import asdict
from pathlib import Path

from wm_bundle import BundleManifest
from wm_bundle.files import write_json

from wm_tools.common.json_values import without_nan
from wm_tools.verify_bundle.verify import Verdict, Verification

FORMAT_VERSION = 1
RESULT = "result.json"


def write_result(folder: Path, verification: Verification) -> None:
    """Write result.json. Raises OSError."""
    write_json(folder / RESULT, without_nan(result_of(verification)))


def result_of(verification: Verification) -> dict:
    """The content of result.json."""
    options = verification.options
    return {
        "format_version": FORMAT_VERSION,
        "passed": verification.parity and verification.in_time,
        "bundle": _bundle(verification.manifest),
        "reference": _bundle(verification.reference),
        "provider": {"asked_for": options.provider, "used": verification.provider, "fp16": options.fp16},
        "machine": dict(verification.machine),
        "options": {
            "candidates": options.candidates,
            "iterations": verification.iterations,
            "threads": options.threads,
            "seed": options.seed,
            "parameters": dict(options.parameters),
            "reading": options.reading.given(),
            "resample": options.resample,
        },
        "frames": {"count": verification.frames, "source": verification.source},
        "parity": {
            "holds": verification.parity,
            "same_best": verification.same_best,
            "outputs": {verdict.difference.output: _output(verdict) for verdict in verification.verdicts},
        },
        "self_check": _self_check(verification),
        "latency_ms": {
            latency.call: {
                "p50": round(latency.p50_ms, 4),
                "p99": round(latency.p99_ms, 4),
                "max": round(latency.max_ms, 4),
                "calls": latency.calls,
            }
            for latency in verification.latencies
        },
        "deadline": {
            "holds": verification.in_time,
            "period_ms": 1000.0 * verification.manifest.control_period_s,
            "frame_p99_ms": round(verification.frame.p99_ms, 4),
        },
    }


def _bundle(manifest: BundleManifest) -> dict:
    return {
        "model_id": manifest.model_id,
        "files": {name: file.sha256 for name, file in sorted(manifest.files.items())},
        "precision": manifest.provenance.get("precision", "float32"),
        "horizon": manifest.horizon,
    }


def _self_check(verification: Verification) -> dict | None:
    """None for a bundle without one."""
    checked = verification.self_check
    if checked is None:
        return None
    return {
        "holds": not checked.failed,
        "reference": verification.manifest.self_check.reference,
        "found": dict(checked.found),
        "limits": dict(checked.limits),
    }


def _output(verdict: Verdict) -> dict:
    found = {**asdict(verdict.difference), "tolerance": verdict.tolerance, "holds": verdict.holds}
    return {name: value for name, value in found.items() if name != "output"}

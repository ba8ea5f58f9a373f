"""Speed of imagination: imagine.onnx in the planner's engine, called as by the planner, beside a peer's.

Every setting is measured in a separate process (except in a quick run); compared ones alternate.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from wm_tools.common.machine import usable_cores

from benchmarks.children import child_main, run_child
from benchmarks.timing import Budget, median, timed

# defaults of dreamerv3-torch: GRU 256, hidden 512, 32 x 32 categorical, two hidden layers in every head.
PEER_SIZES = {
    "state_dim": 256,
    "hidden_dim": 512,
    "latent": "categorical",
    "latent_dim": 32,
    "num_categories": 32,
    "conv_depth": 32,
    "return_bins": 255,
    "image_size": 64,
}
QUICK_SIZES = PEER_SIZES | {"state_dim": 16, "hidden_dim": 16, "latent_dim": 4, "num_categories": 4, "conv_depth": 4}
_PEER_HORIZON = 15
_ROUNDS = 3
_CALLS_S, _PRODUCTS_S, _QUICK_S = 20.0, 1.0, 0.1  # time limit of each measurement


def measure(bundle: Path, quick: bool, peer: Path | None, say: Callable[[str], None], budget: Budget) -> dict:
    """Imagined steps per second, including reward, value and continue heads.

    For ``bundle`` at the planner's number of candidates: unchanged on the planner's threads and on all cores, and in
    int8, also by onnxruntime alone. And at the sizes of a peer, ours in both precisions, beside the peer itself if
    ``peer`` is its clone. Raises BenchmarkError, and BundleError for an unreadable bundle.
    """
    from wm_bundle import load_bundle
    from wm_planner.config import PlannerConfig

    from benchmarks import untrained

    planner, calls = PlannerConfig(), 5 if quick else 100
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_bundle(bundle)
        full = loaded.manifest.provenance.get("precision", "float32")
        settings = {full: (loaded.path, planner.threads, True), "all_cores": (loaded.path, usable_cores(), True)}
        reduced = loaded if full != "float32" else untrained.write_reduced(Path(folder) / "int8", loaded)
        settings.setdefault("int8", (reduced.path, planner.threads, True))
        settings["onnxruntime"] = (reduced.path, planner.threads, False)
        found = {name: [] for name in settings}
        for number in budget.share(0.5).turns(1 if quick else _ROUNDS):
            say(f"imagination, round {number + 1}")
            for name, (path, threads, rollout) in settings.items():
                found[name].append(_run(path, planner.candidates, threads, calls, quick, rollout))
        result = {name: _summary(runs) for name, runs in found.items()}
        return (
            result.pop(full)
            | {"precision": full}
            | result
            | {"peer_sizes": _at_peer_sizes(quick, peer, folder, say, budget)}
        )


def _at_peer_sizes(quick: bool, peer: Path | None, folder: str, say: Callable[[str], None], budget: Budget) -> dict:
    from benchmarks import untrained

    sizes, candidates, horizon, calls, rounds = (
        (QUICK_SIZES, 8, 2, 2, 1) if quick else (PEER_SIZES, 64, _PEER_HORIZON, 20, _ROUNDS)
    )
    full = untrained.write_untrained(Path(folder) / "peer_float32", sizes, horizon, head_layers=2)
    ours = {"float32": full, "int8": untrained.write_reduced(Path(folder) / "peer_int8", full)}
    found = {name: [] for name in ours} | ({"peer": []} if peer is not None else {})
    for number in budget.turns(rounds):
        say(f"imagination at the peer's sizes, round {number + 1}")
        for precision, bundle in ours.items():
            found[precision].append(_run(bundle.path, candidates, usable_cores(), calls, quick))
        if peer is not None:
            settings = {
                "what": "imagine",
                "path": str(peer),
                "sizes": sizes,
                "threads": usable_cores(),
                "calls": calls,
                "candidates": candidates,
                "horizon": horizon,
            }
            found["peer"].append(run_child("benchmarks.peers", settings, usable_cores()))
    result = {name: _summary(runs) for name, runs in found.items()}
    if peer is not None:
        result["peer"] |= {"name": "dreamerv3-torch", "precision": "float32"}
        for precision in ours:
            result[precision]["ratio"] = round(result[precision]["steps_per_s"] / result["peer"]["steps_per_s"], 2)
            result[precision]["ratio_best"] = round(
                result[precision]["best_steps_per_s"] / result["peer"]["best_steps_per_s"], 2
            )
    return result


def _run(path: Path, candidates: int, threads: int, calls: int, quick: bool, rollout: bool = True) -> dict:
    settings = {
        "bundle": str(path),
        "candidates": candidates,
        "threads": threads,
        "calls": calls,
        "rollout": rollout,
        "products_s": _QUICK_S if quick else _PRODUCTS_S,
    }
    return _child(settings) if quick else run_child("benchmarks.imagination", settings, threads)


def _summary(runs: list[dict]) -> dict:
    seconds = [one for run in runs for one in run["seconds"]]
    first, typical = runs[0], median(seconds)
    steps = first["candidates"] * first["horizon"]
    result = {
        "steps_per_s": round(steps / typical, 1),
        "best_steps_per_s": round(steps / min(seconds), 1),
        "candidates": first["candidates"],
        "horizon": first["horizon"],
        "ms": round(1000.0 * typical, 3),
        "threads": first["threads"],
    }
    if "provider" in first:
        result |= {
            "provider": first["provider"],
            "imagination": first["imagination"],
            "gflops": round(first["gflop"] / typical, 1),
            "product_gflops": round(max(run["product_gflops"] for run in runs), 1),
        }
        if "eight_bit_gflops" in first:
            reached = max(run["eight_bit_gflops"] for run in runs)
            result["eight_bit_gflops"] = round(reached, 1)
            result["share_of_eight_bit_speed"] = round(first["gflop"] / typical / reached, 3)
    return result


def _child(settings: dict) -> dict:
    import torch
    from wm_bundle import load_bundle, to_command
    from wm_planner.engine.engine import Engine
    from wm_planner.engine.providers import EngineSettings

    from benchmarks.flop import gflop_of_products
    from benchmarks.machine import eight_bit_product_speed, product_speed

    loaded = load_bundle(settings["bundle"])
    candidates, horizon = settings["candidates"], loaded.manifest.horizon
    threads = settings["threads"]
    engine = Engine(loaded, EngineSettings(threads=threads, rollout=settings["rollout"]), log=lambda line: None)
    random = np.random.default_rng(0)
    actions = to_command(random.uniform(-1.0, 1.0, (candidates, horizon, 2)).astype(np.float32))
    belief, noise = engine.initial_belief(), engine.zero_noise(candidates)
    engine.warm_up(candidates)
    seconds = timed(lambda: engine.imagine(belief, actions, noise), settings["calls"], _CALLS_S)
    torch.set_num_threads(threads)
    eight_bit = loaded.manifest.provenance.get("precision", "float32") == "int8"
    result = {
        "seconds": seconds,
        "candidates": candidates,
        "horizon": horizon,
        "threads": threads,
        "provider": engine.provider,
        "imagination": engine.imagination,
        "gflop": gflop_of_products(loaded.file("imagine.onnx"), candidates),
        "product_gflops": product_speed(torch.float32, settings["products_s"]),
    }
    if eight_bit:
        result["eight_bit_gflops"] = eight_bit_product_speed(threads, settings["products_s"])
    return result


if __name__ == "__main__":
    sys.exit(child_main(_child))

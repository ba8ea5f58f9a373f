"""Training speed: whole updates of the trainer, from episodes on disk to the optimiser's step.

At the sizes for which dreamerv3-torch has 13.1 million parameters: pictures of 64 px, convolutions from 32 channels,
GRU of 256, hidden layers of 512, 32 x 32 categorical latents, 16 sequences of 50 steps.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.children import child_main, run_child
from benchmarks.timing import Budget, median

SIZES = {
    "image_size": 64,
    "conv_depth": 32,
    "state_dim": 256,
    "hidden_dim": 512,
    "latent": "categorical",
    "latent_dim": 32,
    "num_categories": 32,
    "batch_size": 16,
    "sequence_length": 50,
}
QUICK_SIZES = SIZES | {"conv_depth": 4, "state_dim": 16, "hidden_dim": 16, "batch_size": 4, "sequence_length": 8}
# Keeps the parts that the peer's world model also has: encoder, RSSM, decoder, reward and continue head.
WORLD_MODEL_ALONE = {"value_weight": 0.0, "behaviour_cloning_weight": 0.0}
_WARM_UP = 2
_UPDATES = 8
_PEER_UPDATES = 4
_BUDGET_S, _PRODUCTS_S, _QUICK_S = 30.0, 1.0, 0.1  # time limits of a round's updates and products


def measure(
    precision: str,
    threads: int,
    rounds: int,
    quick: bool,
    peer: Path | None,
    say: Callable[[str], None],
    budget: Budget,
) -> dict:
    """Frames per second, time by part, and memory, beside those of a peer, measured alternately with ours.

    ``peer`` is a clone of NM512/dreamerv3-torch. Its update has no value head and no actor, so the ratio uses our
    update without them. Each of the ``rounds`` is a process (except in a quick run), and with a peer one for each side
    of the ratio. Raises BenchmarkError.
    """
    sizes, updates, peer_updates = (QUICK_SIZES, 2, 1) if quick else (SIZES, _UPDATES, _PEER_UPDATES)
    ours, alone, theirs = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        common = {
            "precision": precision,
            "threads": threads,
            "updates": updates,
            "folder": folder,
            "products_s": _QUICK_S if quick else _PRODUCTS_S,
        }
        for number in budget.turns(rounds):
            say(f"training, round {number + 1} of {rounds}")
            settings = common | {"config": sizes, "parts": number == 0}
            ours.append(_child(settings) if quick else run_child("benchmarks.training", settings, threads))
            if peer is not None:
                say(f"training beside the peer, round {number + 1} of {rounds}")
                settings = common | {"config": sizes | WORLD_MODEL_ALONE, "parts": False}
                alone.append(run_child("benchmarks.training", settings, threads))
                settings = {
                    "what": "train",
                    "path": str(peer),
                    "sizes": sizes,
                    "threads": threads,
                    "updates": peer_updates,
                }
                theirs.append(run_child("benchmarks.peers", settings, threads))
    result = _summary(ours, sizes) | {"precision": precision, "threads": threads}
    result |= {name: ours[0][name] for name in ("gflop_per_frame", "shares")}
    speed = result["frames_per_s"] * result["gflop_per_frame"]
    product = max(run[f"product_gflops_{precision}"] for run in ours)
    result |= {
        "gflops": round(speed, 1),
        "product_gflops": {
            name: round(max(run[f"product_gflops_{name}"] for run in ours), 1) for name in ("bfloat16", "float32")
        },
        "share_of_product_speed": round(speed / product, 3),
    }
    if peer is not None:
        compared, other = _summary(alone, sizes), _summary(theirs, sizes)
        result["world_model_alone"] = compared
        result["peer"] = other | {"name": "dreamerv3-torch", "precision": "float32"}
        result["ratio"] = round(compared["frames_per_s"] / other["frames_per_s"], 2)
        result["ratio_best"] = round(compared["best_frames_per_s"] / other["best_frames_per_s"], 2)
    return result


def _summary(runs: list[dict], sizes: dict) -> dict:
    frames = sizes["batch_size"] * sizes["sequence_length"]
    times = [seconds for run in runs for seconds in run["seconds"]]
    return {
        "frames_per_s": round(frames / median(times), 1),
        "best_frames_per_s": round(frames / min(times), 1),
        "updates_measured": len(times),
        "batch": sizes["batch_size"],
        "length": sizes["sequence_length"],
        "parameters": runs[-1]["parameters"],
        "peak_memory_gb": round(max(run["peak_memory_gb"] for run in runs), 2),
    }


def peak_memory_gb() -> float:
    """Largest resident memory of this process so far; on a GPU the peak allocated by torch there."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    scale = 1.0 if sys.platform == "darwin" else 1024.0  # bytes or KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e9


def _child(settings: dict) -> dict:
    from wm_training.processes import prepare_process

    prepare_process()  # like `train`
    import torch
    from wm_training.configuration.config import WorldModelTrainConfig
    from wm_training.training.loader import Prefetch
    from wm_training.training.trainer import WorldModelTrainer

    from benchmarks.episodes import make_episodes
    from benchmarks.machine import product_speed
    from benchmarks.parts import flop, shares

    folder, chosen = Path(settings["folder"]), settings["config"]
    if not (folder / "data").exists():
        make_episodes(folder / "data", count=8, rows=max(200, chosen["sequence_length"]), size=chosen["image_size"])
    config = WorldModelTrainConfig(
        **chosen,
        precision=settings["precision"],
        threads=settings["threads"],
        validation_share=0.0,
        warmup_steps=0,
        data_path=str(folder / "data"),
        output_dir=str(folder / "out"),
    )
    trainer = WorldModelTrainer(config)
    products = {
        f"product_gflops_{name}": product_speed(getattr(torch, name), settings["products_s"])
        for name in ("bfloat16", "float32")
    }
    seconds, waited = [], []
    steps = range(_WARM_UP + settings["updates"])
    with Prefetch(trainer.sample, steps, config.prefetch_batches, trainer.device) as samples:
        before, waited_before = time.perf_counter(), 0.0
        for sample in samples:
            metrics = trainer.learner.update(sample)
            float(metrics["gradient_norm"])  # waits for a GPU
            now = time.perf_counter()
            seconds.append(now - before)
            waited.append(samples.waited_s - waited_before)
            before, waited_before = now, samples.waited_s
            if sum(seconds) > _BUDGET_S:
                break
    warm_up = min(_WARM_UP, len(seconds) - 1)  # if nothing else fits into the budget, it is measured too
    parameters = sum(p.numel() for p in trainer.trainable)
    result = {"seconds": seconds[warm_up:], "peak_memory_gb": peak_memory_gb(), "parameters": parameters, **products}
    if settings["parts"]:
        frames = config.batch_size * config.sequence_length
        sample = trainer.sample(0).to(trainer.device)
        waiting = sum(waited[warm_up:]) / sum(seconds[warm_up:])
        result |= {
            "gflop_per_frame": round(flop(trainer.learner, sample) / frames / 1e9, 4),
            "shares": shares(trainer.learner, sample, waiting),
        }
    return result


if __name__ == "__main__":
    sys.exit(child_main(_child))

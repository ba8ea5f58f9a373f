"""How near one update of the training is to the least time its operations need, by part, as a Markdown table.

``python -m benchmarks.floor``: one thread, by its own processor time, so that others on the machine disturb little. The
least time of an operator is that of its products at the product speed or that of moving its inputs and outputs at the
speed of copying, whichever is longer: no more can be had from the same operators, only from fewer.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.processes import prepare_process
from wm_training.training.loader import Sample
from wm_training.training.trainer import WorldModelTrainer

from benchmarks.episodes import make_episodes
from benchmarks.training import QUICK_SIZES, SIZES

_COPIED = 1 << 24  # floats of the copy that tells the speed of memory


class Counted(TorchDispatchMode):
    """Counts what is executed within it: ``flop``, ``bytes`` in and out, and the least time ``floor_s``."""

    def __init__(self, flops: float, bandwidth: float):
        super().__init__()
        self._flops, self._bandwidth = flops, bandwidth
        self.flop, self.bytes, self.floor_s = 0, 0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
            count = flop_registry.get(func.overloadpacket)
            flop = count(*args, **(kwargs or {}), out_val=result) if count else 0
            moved = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
            self.flop, self.bytes = self.flop + flop, self.bytes + moved
            self.floor_s += max(flop / self._flops, moved / self._bandwidth)
        return result


def table(sizes: dict, precision: str, repetitions: int) -> list[dict]:
    """A row for each part of an update, forward and backward, then one for the complete update."""
    torch.set_num_threads(1)
    matrix, other = (torch.randn(1024, 1024).to(getattr(torch, precision)) for _ in range(2))
    flops = 2.0 * 1024**3 / _best(lambda: matrix @ other, 8)
    block = torch.zeros(_COPIED)
    bandwidth = 2.0 * block.numel() * block.element_size() / _best(block.clone, 8)
    rows: list[dict] = []

    def measured(name: str, call: Callable[[], object], prepare: Callable[[], object] | None = None) -> None:
        seconds = _best(call, repetitions, prepare)
        if prepare:
            prepare()
        with Counted(flops, bandwidth) as counted:
            call()
        rows.append(
            {
                "part": name,
                "gflop": counted.flop / 1e9,
                "gb": counted.bytes / 1e9,
                "floor_ms": 1e3 * counted.floor_s,
                "ms": 1e3 * seconds,
            }
        )

    with tempfile.TemporaryDirectory() as folder:
        data = make_episodes(Path(folder) / "data", count=2, rows=max(200, sizes["sequence_length"]))
        trainer = WorldModelTrainer(
            WorldModelTrainConfig(
                **sizes,
                precision=precision,
                threads=1,
                validation_share=0.0,
                warmup_steps=0,
                data_path=str(data),
                output_dir=str(Path(folder) / "out"),
            )
        )
        sample = trainer.sample(0)
        for name, forward in _parts(trainer, sample).items():
            results: list[Tensor] = []

            def run(forward: Callable[[], Sequence[Tensor]] = forward, results: list[Tensor] = results) -> None:
                with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                    results[:] = [tensor for tensor in forward() if tensor.requires_grad]

            measured(f"{name}, forward", run)
            measured(
                f"{name}, backward",
                lambda results=results: torch.autograd.backward(results, [torch.ones_like(x) for x in results]),
                run,
            )
        measured("optimiser", lambda: _step(trainer))
        measured("the whole update", lambda: trainer.learner.update(sample))
    whole = rows.pop()
    rest = {key: value - sum(row[key] for row in rows) for key, value in whole.items() if key != "part"}
    rows.append({"part": "rest", **rest})
    return [*rows, whole | {"product_gflops": flops / 1e9, "copy_gb_s": bandwidth / 1e9}]


def _parts(trainer: WorldModelTrainer, sample: Sample) -> dict[str, Callable[[], Sequence[Tensor]]]:
    model, batch, noise = trainer.world_model, sample.batch, sample.noise
    rows = batch.reward.shape
    frames = [tensor.flatten(0, 1) for tensor in (batch.image, batch.vector, batch.camera_mask)]
    embedding = torch.randn(*rows, model.config.hidden_dim, requires_grad=True)
    belief = torch.randn(*rows, model.config.belief_size, requires_grad=True)

    def recurrence() -> Sequence[Tensor]:
        states, *parameters = model.rssm.observe(embedding, batch.previous_action, batch.is_first, noise.latent[:, :-1])
        return [*states, *parameters]

    def heads() -> Sequence[Tensor]:
        reward, value = (head.loss(head(belief), batch.reward) for head in (model.reward, model.value))
        return [reward, value, model.continues(belief), model.actor(belief).log_probability(batch.expert)]

    return {
        "encoder": lambda: [model.embed(*frames)],
        "recurrence": recurrence,
        "decoder": lambda: [model.decoder.squared_errors(belief.flatten(0, 1), frames[0])],
        "heads": heads,
    }


def _step(trainer: WorldModelTrainer) -> None:
    torch.nn.utils.clip_grad_norm_(trainer.trainable, trainer.config.max_grad_norm)
    trainer.learner.optimizer.step()
    trainer.learner.objective.follow(None)


def _best(call: Callable[[], object], repetitions: int, prepare: Callable[[], object] | None = None) -> float:
    """Fewest seconds of processor time of a call, each after ``prepare``; a first one warms up."""
    best = float("inf")
    for repetition in range(1 + repetitions):
        if prepare:
            prepare()
        began = time.thread_time()
        call()
        if repetition:
            best = min(best, time.thread_time() - began)
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floor", description=__doc__.split("\n")[0])
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tiny model: shows that everything runs")
    options = parser.parse_args(arguments)
    prepare_process()
    rows = table(QUICK_SIZES if options.quick else SIZES, options.precision, options.repetitions)
    print("| Part | GFLOP | GB | floor [ms] | measured [ms] | gap [ms] | of it |\n|---|---|---|---|---|---|---|")
    for row in rows:
        numbers = f"{row['gflop']:.1f} | {row['gb']:.2f} | {row['floor_ms']:.0f} | {row['ms']:.0f}"
        gap = f"{row['ms'] - row['floor_ms']:.0f} | {row['floor_ms'] / row['ms']:.0%}"
        print(f"| {row['part']} | {numbers} | {gap} |")
    last = rows[-1]
    share = last["gflop"] / last["product_gflops"] * 1e3 / last["ms"]
    print(f"\nproducts {last['product_gflops']:.1f} GFLOP/s, copies {last['copy_gb_s']:.1f} GB/s; the whole update at")
    print(f"{share:.0%} of the product speed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

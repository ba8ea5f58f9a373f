"""Speed of whole updates of the trainer on a device: kernel by kernel, compiled, and recorded as a CUDA graph."""

import io
import sys
import tempfile
import time
from contextlib import redirect_stderr
from pathlib import Path

from benchmarks.children import child_main
from benchmarks.errors import BenchmarkError
from benchmarks.timing import median, timed

_WARM_UP = 5  # updates: compilers compile, and the recording is made, in the first four
_MOST = 100
_PRODUCT, _QUICK_PRODUCT = 8192, 128
# What the host asks a GPU to do, as CUDA's profiler calls it.
_LAUNCHES = ("cudaLaunch", "cuLaunch", "cudaMemcpyAsync", "cudaMemsetAsync", "cudaGraphLaunch")


def child(settings: dict) -> dict:
    """One of the two."""
    return {"updates": updates, "products": products}[settings["what"]](settings)


def updates(settings: dict) -> dict:
    """Frames/s and memory; with ``count`` also the launches of an update and its FLOPs."""
    from wm_training.processes import prepare_process

    prepare_process()  # like `train`
    from wm_training.training.loader import Prefetch

    from benchmarks.training import peak_memory_gb

    with tempfile.TemporaryDirectory() as folder, redirect_stderr(io.StringIO()) as said:
        trainer = _trainer(settings, Path(folder))
        seconds: list[float] = []
        most = _WARM_UP + (1 if settings["quick"] else _MOST)
        with Prefetch(trainer.sample, range(most), 2, trainer.device) as samples:
            before = time.perf_counter()
            for sample in samples:
                float(trainer.learner.update(sample)["gradient_norm"])  # waits for the device
                now = time.perf_counter()
                seconds.append(now - before)
                before = now
                if sum(seconds[_WARM_UP:]) > settings["budget_s"]:
                    break
        if "torch.compile does not work" in said.getvalue():
            raise BenchmarkError(said.getvalue())
        typical, frames = median(seconds[_WARM_UP:]), trainer.config.batch_size * trainer.config.sequence_length
        result = {
            "frames_per_s": round(frames / typical, 1),
            "best_frames_per_s": round(frames / min(seconds[_WARM_UP:]), 1),
            "ms": round(1000.0 * typical, 3),
            "updates_measured": len(seconds) - _WARM_UP,
            "first_updates_s": round(sum(seconds[:_WARM_UP]), 2),
            "parameters": sum(p.numel() for p in trainer.trainable),
            "precision": trainer.config.precision,
            "peak_memory_gb": round(peak_memory_gb(), 3),
        }
        return result | (_counts(trainer, typical) if settings["count"] else {})


def products(settings: dict) -> dict:
    """TFLOP/s of large matrix products, the limit of every update, by precision."""
    import torch

    device, size = torch.device(settings["device"]), _QUICK_PRODUCT if settings["quick"] else _PRODUCT
    found = {}
    for name in ("float32", "bfloat16"):
        left, right = (torch.randn(size, size, device=device).to(getattr(torch, name)) for _ in range(2))

        def several(left=left, right=right):
            for _ in range(4):
                product = left @ right
            float(product[0, 0])  # waits for the device

        several()
        found[f"product_tflops_{name}"] = round(4 * 2.0 * size**3 / min(timed(several, 5, 3.0)) / 1e12, 2)
    return found


def _trainer(settings: dict, folder: Path):
    from wm_training.configuration.config import WorldModelTrainConfig
    from wm_training.training.trainer import WorldModelTrainer

    from benchmarks.episodes import make_episodes

    chosen = settings["config"]
    make_episodes(folder / "data", count=8, rows=max(200, chosen["sequence_length"]), size=chosen["image_size"])
    config = WorldModelTrainConfig(
        **chosen,
        device=settings["device"],
        validation_share=0.0,
        data_path=str(folder / "data"),
        output_dir=str(folder / "out"),
    )
    return WorldModelTrainer(config)


def _counts(trainer, typical_s: float) -> dict:
    """Of one update: its FLOPs, what the host launches, and the share of ``typical_s`` in which a GPU computes."""
    from torch.autograd import DeviceType
    from torch.profiler import profile

    from benchmarks.parts import flop

    sample = trainer.sample(0).to(trainer.device)
    with profile() as profiler:
        float(trainer.learner.update(sample)["gradient_norm"])
    launches = sum(event.name.startswith(_LAUNCHES) for event in profiler.events())
    kernels = [entry for entry in profiler.key_averages() if entry.device_type != DeviceType.CPU]
    busy_s = sum(entry.self_device_time_total for entry in kernels) / 1e6
    counted = {} if trainer.config.cuda_graph else {"gflop": round(flop(trainer.learner, sample) / 1e9, 1)}
    return counted | {"launches": launches, "device_busy": round(busy_s / typical_s, 3)}


if __name__ == "__main__":
    sys.exit(child_main(child))

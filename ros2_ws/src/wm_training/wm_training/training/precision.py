"""The arithmetic of a training: bfloat16 if faster on this machine, else float32.

Processors without bfloat16 emulate it: a product then takes 40 to 1000 times as long as in float32. So the speed is
measured, small products first, and only briefly.
"""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn import functional

from wm_training.configuration.config import WorldModelTrainConfig

FASTER = 1.2
"""Minimum speed-up for bfloat16: less does not justify the lost digits, and varies between runs."""
HOPELESS = 4.0
"""Slow-down at which the measurement stops."""
LIMIT_S = 0.3
PICTURES = (1, 4, 16)
REPETITIONS = 5
_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Arithmetic(NamedTuple):
    """The arithmetic of a run, and its reason."""

    asked: str
    """auto, float32 or bfloat16."""
    used: str
    """float32 or bfloat16."""
    reason: str
    gflops: dict[str, float]
    """[GFLOP/s] of each, where they were measured."""
    is_slow: bool
    """Whether it is bfloat16 although float32 suits this machine better."""

    def record(self) -> dict[str, Any]:
        """The entry for run.json and other records."""
        speeds = {f"{name}_gflops": round(speed, 2) for name, speed in self.gflops.items()}
        return {"asked": self.asked, "used": self.used, "reason": self.reason, **speeds}

    def text(self) -> str:
        """A line for the terminal."""
        speeds = ", ".join(f"{name} {speed:.3g}" for name, speed in self.gflops.items())
        told = f"precision {self.used}, {self.reason}" + (f" (GFLOP/s of one core: {speeds})" if speeds else "")
        return told + ("; this machine is faster in float32" if self.is_slow else "")


def choose(
    config: WorldModelTrainConfig,
    device: torch.device,
    saved: str | None = None,
    any_rank: Callable[[bool], bool] = bool,
) -> Arithmetic:
    """The arithmetic for ``config.precision`` on ``device``; auto keeps that of a resumed run, ``saved``.

    Takes less than a second. ``any_rank`` tells whether something is true for any process of the run: bfloat16 is used
    if all are faster in it."""
    asked = config.precision
    wanted = saved if asked == "auto" else asked
    reason = "as requested" if asked != "auto" else "as the run began"
    if wanted == "float32":
        return Arithmetic(asked, wanted, reason, {}, False)
    speeds = measure(config, device)
    if device.type == "cuda":
        fits, measured = torch.cuda.is_bf16_supported(including_emulation=False), "by what this GPU knows"
    else:
        fits, measured = faster(speeds) == "bfloat16", "measured here"
    if wanted == "bfloat16":
        return Arithmetic(asked, wanted, reason, speeds, not fits)
    return Arithmetic(asked, "float32" if any_rank(not fits) else "bfloat16", measured, speeds, False)


def faster(gflops: dict[str, float]) -> str:
    """The arithmetic to use, by these speeds."""
    return "bfloat16" if gflops["bfloat16"] > FASTER * gflops["float32"] else "float32"


def measure(config: WorldModelTrainConfig, device: torch.device) -> dict[str, float]:
    """Speed [GFLOP/s] of a layer's product and a convolution of about the model's sizes, in float32 and bfloat16.

    Sizes grow until the result is clear, up to LIMIT_S or until bfloat16 is hopeless. On a processor one core is
    measured, by its own CPU time: the faster arithmetic is the same on all, and other processes do not affect it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _measure(config, device)
    finally:
        torch.set_num_threads(threads)


def _measure(config: WorldModelTrainConfig, device: torch.device) -> dict[str, float]:
    if device.type == "cuda":  # loading at the first call must not count
        for name in _TYPES:
            _seconds(_work(config, device, name, 1), device)
    clock = _clock(device)
    began, speeds = clock(), {}
    for count in PICTURES:
        works = {name: _work(config, device, name, count) for name in _TYPES}
        best = dict.fromkeys(works, math.inf)
        for repetition in range(1 + REPETITIONS):
            seconds = {name: _seconds(work, device) for name, work in works.items()}
            late = clock() - began > LIMIT_S
            if repetition or late:  # the first one warms up
                best = {name: min(best[name], seconds[name]) for name in best}
            if late:
                break
        flop = sum(work.flop for work in works.values()) / len(works)
        speeds = {name: flop / 1e9 / seconds for name, seconds in best.items()}
        if late or best["bfloat16"] > HOPELESS * best["float32"]:
            break
    return speeds


class _Work(NamedTuple):
    run: Callable[[], object]
    flop: float


def _work(config: WorldModelTrainConfig, device: torch.device, name: str, count: int) -> _Work:
    """The products of ``count`` pictures and sixteen times as many rows."""
    width, channels = min(max(config.hidden_dim, 256), 512), min(max(2 * config.conv_depth, 32), 64)
    last = channels_last(config.channels_last, device, name)
    layout = torch.channels_last if last else torch.contiguous_format
    made = {"device": device, "dtype": _TYPES[name]}
    rows, weights = torch.ones(16 * count, width, **made), torch.ones(width, width, **made)
    pictures = torch.ones(count, channels, 16, 16, **made).contiguous(memory_format=layout)
    kernels = torch.ones(2 * channels, channels, 4, 4, **made).contiguous(memory_format=layout)

    def run() -> None:
        rows @ weights
        functional.conv2d(pictures, kernels, stride=2, padding=1)

    return _Work(run, 2.0 * count * (16 * width * width + 2 * channels * channels * 16 * 64))


def _clock(device: torch.device) -> Callable[[], float]:
    """A clock in seconds: of this thread, or of a GPU after synchronisation."""
    if device.type != "cuda":
        return time.thread_time

    def read() -> float:
        torch.cuda.synchronize(device)
        return time.perf_counter()

    return read


def _seconds(work: _Work, device: torch.device) -> float:
    clock = _clock(device)
    began = clock()
    work.run()
    return clock() - began


def channels_last(wanted: str, device: torch.device, precision: str) -> bool:
    """Whether to use channels last. On a processor that is a third faster in bfloat16, and in float32 a fifth faster
    with AVX2 but several times slower with AVX-512."""
    if wanted != "auto":
        return wanted == "yes"
    return device.type == "cuda" or precision == "bfloat16" or torch.backends.cpu.get_cpu_capability() == "AVX2"

"""The parts of the measurement, each with its share of the time, and their runner."""

import importlib
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import ROOT, run_child, run_command
from benchmarks.errors import BenchmarkError
from benchmarks.training import QUICK_SIZES, SIZES, WORLD_MODEL_ALONE

LARGE_SIZES = SIZES | {"conv_depth": 128, "state_dim": 2048, "hidden_dim": 1024}
"""Ten times the parameters."""
PLANS = ((64, 12), (1024, 25))
"""Candidates and horizon of the plans."""
QUICK_PLANS = ((16, 3), (32, 4))
VARIANTS = {
    "eager": {},
    "recorded": {"cuda_graph": True},
    "compiled": {"compile": True},
    "compiled and recorded": {"compile": True, "cuda_graph": True},
}


class LeftOut(Exception):
    """A part that this machine does not have; the message says why."""


@dataclass(frozen=True)
class Part:
    """``measure`` gets the seconds it has. ``share_s``: of the default time; what earlier parts leave is added."""

    name: str
    share_s: float
    measure: Callable[[float], dict]


@dataclass(frozen=True)
class Setting:
    """What all parts need to know."""

    device: str
    quick: bool
    threads: int
    peer: Path | None
    folder: Path


def parts(setting: Setting) -> list[Part]:
    """All parts, in the order in which they run."""
    sizes = {"peer": QUICK_SIZES} if setting.quick else {"peer": SIZES, "large": LARGE_SIZES}
    plans = QUICK_PLANS if setting.quick else PLANS
    providers = ("cpu",) if setting.device == "cpu" else ("cuda", "tensorrt")
    found = [Part("products", 12.0, lambda left_s: _child(setting, "updates", {"what": "products"}, left_s))]
    for name, chosen in sizes.items():
        longer_s = 5.0 if name == "large" else 0.0
        for variant, changes in VARIANTS.items():
            share_s = (50.0 if variant == "compiled" else 16.0) + longer_s
            found.append(Part(f"update, {name}, {variant}", share_s, _update(setting, chosen | changes)))
        found.append(Part(f"update, {name}, dreamerv3-torch", 15.0 + longer_s, _peer(setting, chosen)))
    found.append(Part("launches", 30.0, _launches(setting, sizes["peer"])))
    horizons = {"what": "bundle", "horizons": [horizon for _, horizon in plans]}
    found.append(Part("bundle", 50.0, lambda left_s: _child(setting, "inference", horizons, left_s)))
    for provider in providers:
        share_s = 35.0 if provider == "tensorrt" else 20.0
        for candidates, horizon in plans:
            name = f"plan, {provider}, {candidates} x {horizon}"
            found.append(Part(name, share_s, _verify(setting, provider, candidates, horizon)))
    return [*found, Part("tests", 60.0, _tests(setting))]


def run_parts(all_parts: list[Part], whole_s: float, say: Callable[[str], None]) -> Iterator[tuple[str, dict]]:
    """Name and result of each part: its ``status``, done, failed or left out, with the ``reason``, and ``seconds``.

    A part ends when those up to it have used their shares of ``whole_s`` at the latest."""
    started, due_s = time.monotonic(), 0.0
    total_s = sum(part.share_s for part in all_parts)
    for part in all_parts:
        due_s += whole_s * part.share_s / total_s
        began = time.monotonic()
        left_s = due_s - (began - started)
        say(f"{part.name}, at most {left_s:.0f} s")
        try:
            result = {"status": "done", **part.measure(left_s)}
        except LeftOut as why:
            result = {"status": "left out", "reason": str(why)}
        except Exception as error:  # whatever ends a part, the others run
            result = {"status": "failed", "reason": " ".join(f"{error or type(error).__name__}".split())}
        if result["status"] != "done":
            say(f"{part.name} {result['status']}: {result['reason']}")
        yield part.name, result | {"seconds": round(time.monotonic() - began, 1)}


def _child(setting: Setting, module: str, settings: dict, left_s: float) -> dict:
    """The result of a child in a process of its own; a quick run needs none."""
    common = {"device": setting.device, "quick": setting.quick, "folder": str(setting.folder)}
    name = f"benchmarks.gpu.{module}"
    if setting.quick:
        return importlib.import_module(name).child(common | settings)
    return run_child(name, common | settings, setting.threads, left_s)


def _update(setting: Setting, config: dict) -> Callable[[float], dict]:
    def measure(left_s: float) -> dict:
        if setting.device == "cpu" and not config.keys().isdisjoint({"cuda_graph", "compile"}):
            raise LeftOut("for GPUs")
        return _child(setting, "updates", _training(config, budget_s=4.0), left_s)

    return measure


def _training(config: dict, budget_s: float, count: bool = False) -> dict:
    return {"what": "updates", "config": config | WORLD_MODEL_ALONE, "budget_s": budget_s, "count": count}


def _launches(setting: Setting, config: dict) -> Callable[[float], dict]:
    def measure(left_s: float) -> dict:
        chosen = ("eager",) if setting.device == "cpu" else ("eager", "recorded")
        counted = ("launches", "device_busy", "gflop")
        found = {}
        for variant in chosen:
            counting = _training(config | VARIANTS[variant], budget_s=0.5, count=True)
            one = _child(setting, "updates", counting, left_s / len(chosen))
            found[variant] = {name: one[name] for name in counted if name in one}
        return found

    return measure


def _peer(setting: Setting, sizes: dict) -> Callable[[float], dict]:
    def measure(left_s: float) -> dict:
        if setting.peer is None:
            raise LeftOut("no --peer-dreamerv3-torch was given")
        settings = {"what": "train", "path": str(setting.peer), "sizes": sizes, "threads": setting.threads}
        found = run_child(
            "benchmarks.peers", settings | {"updates": 1 if setting.quick else 20}, setting.threads, left_s
        )
        seconds, frames = found.pop("seconds"), sizes["batch_size"] * sizes["sequence_length"]
        typical = sorted(seconds)[len(seconds) // 2]
        return {**found, "frames_per_s": round(frames / typical, 1), "ms": round(1000.0 * typical, 3)}

    return measure


def _verify(setting: Setting, provider: str, candidates: int, horizon: int) -> Callable[[float], dict]:
    def measure(left_s: float) -> dict:
        bundle = setting.folder / f"horizon_{horizon}"
        if not bundle.is_dir():
            raise BenchmarkError("there is no bundle to verify: the part before failed")
        frames, calls = (10, 5) if setting.quick else (50 if candidates < 100 else 20, 300)
        settings = {"what": "verify", "bundle": str(bundle), "provider": provider, "candidates": candidates}
        found = _child(setting, "inference", settings | {"frames": frames, "calls": calls}, left_s)
        if "left_out" in found:
            raise LeftOut(found["left_out"])
        return found

    return measure


def _tests(setting: Setting) -> Callable[[float], dict]:
    """The tests that need a GPU. Without one each skips."""

    def measure(left_s: float) -> dict:
        marked = [file for file in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in file.read_text("utf-8")]
        report = setting.folder / "tests.xml"
        options = ["-q", "-m", "gpu", "--continue-on-collection-errors", f"--junitxml={report}"]
        command = [sys.executable, "-m", "pytest", *options, *map(str, sorted(marked))]
        done = run_command(command, "pytest", left_s)
        if not report.is_file():
            raise BenchmarkError(
                f"pytest failed with code {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}"
            )
        return judged(report, setting.device)

    return measure


def judged(report: Path, device: str) -> dict:
    """The numbers of tests in a JUnit file, and the reasons of those skipped. Raises BenchmarkError for a failed one,
    and where none ran on a GPU."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [skip.get("message") for case in cases if (skip := case.find("skipped")) is not None]
    if failed:
        raise BenchmarkError(f"{len(failed)} of {len(cases)} tests failed: {', '.join(failed)}")
    if device != "cpu" and len(skipped) == len(cases):
        raise BenchmarkError(f"all {len(cases)} tests were skipped: {'; '.join(sorted(set(skipped)))}")
    return {"passed": len(cases) - len(skipped), "skipped": len(skipped), "reasons": sorted(set(skipped))}

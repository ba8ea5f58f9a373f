"""The latency of this machine: paced as a camera paces the planner, and as a row of the table of docs/latency.md."""

import gc
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import cv2
import numpy as np
from rclpy.serialization import serialize_message
from wm_bundle import BundleManifest
from wm_bundle.pictures.frames import RawImage
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED
from wm_evaluation.imagined_frames import Observation
from wm_planner.assembly import Parts
from wm_planner.config import PlannerConfig
from wm_planner.node.messages import time_message
from wm_planner.pilot.cameras import Cameras
from wm_planner.pilot.pilot import SEARCH_SHARE

_WARM_UP = 10  # frames
_IDLE_LOAD = 0.25  # of each core, by the load average before; above, the machine did other work
HEADS = (
    *("Device", "Processor kind", "Cores", "Memory", "GPU", "Provider", "Precision", "Bundle", "Steps"),
    *("p50", "p95", "p99", "max", "Jitter", "Late", "Load", "Versions", "Date"),
)


@dataclass(frozen=True)
class Paced:
    """What was measured: ``latency_ms`` (T,) from when each picture was due to the bytes of its command; ``sent_s``
    (T,) the moments of the commands; ``steps`` imagined for a frame, mean; ``load``: averages of the last minute before
    and after."""

    latency_ms: np.ndarray
    sent_s: np.ndarray
    steps: float
    load: tuple[float, float]

    @property
    def jitter_ms(self) -> float:
        """Standard deviation of the time between two commands."""
        return 1000.0 * float(np.diff(self.sent_s).std())


def paced_frames(seconds: float, period_s: float) -> int:
    """The pictures in some time, with those of the warm-up."""
    return _WARM_UP + max(2, round(seconds / period_s))


def measure_paced(
    parts: Parts, config: PlannerConfig, frames: list[Observation], seconds: float, advance: Callable[[int], None]
) -> Paced:
    """Answer a picture in every control period for ``seconds``; ``advance`` is called for each. Raises PlannerError."""
    manifest, planner, write = parts.bundle.manifest, parts.planner, parts.pilot.writer
    cameras, pictures = Cameras(manifest.image, config.frozen_frames), [_sent(frame, manifest) for frame in frames]
    speed, period_s = manifest.column(SPEED), manifest.control_period_s
    latencies, sent, imagined, loaded = [], [], [], os.getloadavg()[0]
    planner.reset()
    gc.collect()
    gc.freeze()  # as the node does when it is activated
    begin_s = time.monotonic() + period_s
    for number in range(paced_frames(seconds, period_s)):
        frame, images = frames[number % len(frames)], pictures[number % len(frames)]
        stamp_ns, due_s = round((number + 1) * period_s * NS_PER_S), begin_s + number * period_s
        time.sleep(max(0.0, due_s - time.monotonic()))
        planner.observe(cameras.picture(images), frame.vector, stamp_ns, cameras.mask)
        plan = planner.plan(due_s + SEARCH_SHARE * config.deadline_ms / 1000.0)
        speed_mps = None if speed is None else float(frame.vector[speed])
        serialize_message(write(plan.action, time_message(stamp_ns), speed_mps))
        sent.append(time.monotonic())
        planner.note_command(plan.action)
        latencies.append(1000.0 * (sent[-1] - due_s))
        imagined.append(plan.candidates.shape[0] * plan.iterations * manifest.horizon)
        advance(1)
    gc.unfreeze()
    kept = slice(_WARM_UP, None)
    load = loaded, os.getloadavg()[0]
    return Paced(np.array(latencies[kept]), np.array(sent[kept]), float(np.mean(imagined[kept])), load)


def _sent(frame: Observation, manifest: BundleManifest) -> tuple[RawImage, ...]:
    """A frame as its cameras would send it."""
    images = []
    for index, camera in enumerate(manifest.image.cameras):
        small = frame.image[3 * index : 3 * index + 3].transpose(1, 2, 0)
        large = cv2.resize(small, (camera.source_width, camera.source_height))
        height, width = large.shape[:2]
        images.append(RawImage(0, height, width, "rgb8", 3 * width, np.ascontiguousarray(large).data))
    return tuple(images)


def cells(
    paced: Paced, manifest: BundleManifest, config: PlannerConfig, provider: str, machine: Mapping[str, str | int]
) -> dict[str, str]:
    """A row's text by the head of its column."""
    p50, p95, p99, most = np.percentile(paced.latency_ms, (50.0, 95.0, 99.0, 100.0))
    late, asked = int((paced.latency_ms > config.deadline_ms).sum()), config.candidates * config.iterations
    before, after = paced.load
    busy = ", busy" if before > _IDLE_LOAD * machine["cores"] else ""
    precision = manifest.provenance.get("precision", "float32")
    return {
        "Device": f"{machine['board']}, {machine['cpu']}" if machine["board"] else str(machine["cpu"]),
        "Processor kind": str(machine["kind"]),
        "Cores": f"{machine['cores']}, {config.threads} used",
        "Memory": f"{machine['memory_gb']:.0f} GB",
        "GPU": f"{machine['gpu']}, driver {machine['driver'] or 'unknown'}" if machine["gpu"] else "none",
        "Provider": provider.removesuffix("ExecutionProvider"),
        "Precision": f"{precision}, fp16 allowed" if config.fp16 else str(precision),
        "Bundle": manifest.model_id,
        "Steps": f"{paced.steps:.0f} of {asked * manifest.horizon}",
        "p50": f"{p50:.1f}",
        "p95": f"{p95:.1f}",
        "p99": f"{p99:.1f}",
        "max": f"{most:.1f}",
        "Jitter": f"{paced.jitter_ms:.1f}",
        "Late": f"{late} of {len(paced.latency_ms)}",
        "Load": f"{before:.1f} → {after:.1f}{busy}",
        "Versions": f"onnxruntime {machine['onnxruntime']}, ROS {machine['ros']}, {machine['os']}",
        "Date": f"{datetime.now(timezone.utc):%Y-%m-%d}",
    }


def markdown(row: Mapping[str, str]) -> str:
    """The row as a line of a Markdown table."""
    return "| " + " | ".join(row[head].replace("|", "/") for head in HEADS) + " |"


def table_head() -> str:
    """The two lines above the rows."""
    return "| " + " | ".join(HEADS) + " |\n|" + "---|" * len(HEADS)

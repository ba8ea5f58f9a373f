"""The execution providers of onnxruntime, and the choice of the best one that works.

docs/gpu.md describes what to install for each.
"""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from wm_bundle.onnx_runtime import onnxruntime as ort

from wm_planner.engine.tensorrt import AUTO
from wm_planner.errors import EngineError

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
CHOICES = {"auto": (TENSORRT, CUDA, CPU), "tensorrt": (TENSORRT,), "cuda": (CUDA,), "cpu": (CPU,)}
_WORDS = {TENSORRT: "TensorRT", CUDA: "CUDA"}
_JETSON = Path("/etc/nv_tegra_release")


@dataclass(frozen=True)
class EngineSettings:
    """How onnxruntime runs.

    ``threads`` per call. ``spin`` keeps idle threads busy: faster alone, slower when the cores are shared with a
    simulator. ``providers`` are tried in this order. For TensorRT only: ``fp16`` allows half precision,
    ``engine_cache`` is the folder for its engines, "auto" or "off", ``engine_workspace_mb`` [MiB] the memory it may use
    for one layer. ``rollout`` allows wm_imagination in place of onnxruntime on the processor."""

    threads: int = 1
    spin: bool = False
    providers: tuple[str, ...] = CHOICES["auto"]
    fp16: bool = False
    engine_cache: str = AUTO
    engine_workspace_mb: int = 1024
    rollout: bool = True


@dataclass(frozen=True)
class Provider:
    """How onnxruntime uses one execution provider.

    ``device`` is onnxruntime's name of the memory for its tensors. ``options`` apply to every file. With
    ``graph_options`` the kernels of imagine.onnx, which is called again and again at the same shapes, are recorded once
    and replayed as one (a CUDA graph).
    """

    device: str = "cpu"
    options: dict[str, str] = field(default_factory=dict)
    graph_options: dict[str, str] = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        """Whether it computes outside the processor."""
        return self.device != "cpu"


PROVIDERS = {
    TENSORRT: Provider("cuda", {"device_id": "0"}, {"trt_cuda_graph_enable": "1"}),
    # float32 products stay float32: with TF32 the parity measured at export would be lost.
    CUDA: Provider(
        "cuda", {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}, {"enable_cuda_graph": "1"}
    ),
    CPU: Provider(),
}


def provider_named(name: str) -> Provider:
    """A provider from the table; one not listed there gets no options and host memory."""
    return PROVIDERS.get(name, Provider())


def half_precision(provider: str, settings: EngineSettings) -> str:
    """The suffix for a provider's name where it computes in half precision, else empty."""
    return " in half precision" if settings.fp16 and provider == TENSORRT else ""


def first_that_works(
    settings: EngineSettings,
    attempt: Callable[[str, bool, EngineSettings], None],
    what: str,
    log: Callable[[str], None],
    graphs: bool = True,
) -> str:
    """Name of the first provider, in the order of ``settings``, with which ``attempt`` raises no EngineError.

    ``attempt`` takes the provider, whether to record graphs (tried first where the provider and ``graphs`` allow it),
    and the settings: as given, then without half precision. ``log`` gets a line for the chosen provider, and one for
    each that is installed and refused. Raises EngineError, which calls the model ``what``, when none works."""
    refusals, reasons, absent = [], set(), []
    for provider, graph, tried in _attempts(settings, graphs):
        half = half_precision(provider, tried)
        how = f"{provider} with recorded graphs{half}" if graph else f"{provider}{half}"
        try:
            attempt(provider, graph, tried)
        except EngineError as error:
            if (provider, str(error)) in reasons:
                continue
            reasons.add((provider, str(error)))
            refusals.append(f"{how}: {error}")
            if provider in ort.get_available_providers():
                log(f"refused {refusals[-1]}")
            else:
                absent.append(_WORDS.get(provider, provider))
        else:
            without = f" (this onnxruntime is one without {' and '.join(absent)})" if absent else ""
            log(f"inference on {how} with {settings.threads} thread(s){without}")
            if settings.fp16 and provider != TENSORRT:
                log(f"fp16 is TensorRT's: {provider} computes as the model was exported")
            return provider
    raise EngineError(f"no execution provider can run the {what}: {'; '.join(refusals)}")


def _attempts(settings: EngineSettings, graphs: bool) -> Iterator[tuple[str, bool, EngineSettings]]:
    for provider in settings.providers:
        recorded = graphs and provider in ort.get_available_providers() and provider_named(provider).graph_options
        for tried in (settings, replace(settings, fp16=False)):
            for graph in (True, False) if recorded else (False,):
                yield provider, graph, tried
            if not (settings.fp16 and provider == TENSORRT):
                break


def how_to_get(provider: str) -> str:
    """What to install for a provider that this build of onnxruntime lacks."""
    if provider not in _WORDS:
        return "docs/gpu.md lists them"
    if _JETSON.exists() or platform.machine() == "aarch64":
        return (
            "on a Jetson install NVIDIA's onnxruntime-gpu wheel for this JetPack instead of onnxruntime, "
            "see docs/gpu.md"
        )
    return "install onnxruntime-gpu instead of onnxruntime, see docs/gpu.md"

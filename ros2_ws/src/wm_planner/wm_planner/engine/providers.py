"""Opens model files with onnxruntime, on the best execution provider that really works.

What differs between providers stands in one table: the options they get, and where their tensors live. docs/gpu.md
tells what to install for each.
"""

import contextlib
import ctypes
import io
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from wm_bundle.onnx_runtime import onnxruntime as ort

from wm_planner.engine.eight_bit import suited
from wm_planner.engine.tensorrt import (
    AUTO,
    engine_folder,
    engines_kept,
    profile_options,
    set_precision,
    tensorrt_options,
    this_platform,
)
from wm_planner.errors import EngineError

TENSORRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"
CHOICES = {"auto": (TENSORRT, CUDA, CPU), "tensorrt": (TENSORRT,), "cuda": (CUDA,), "cpu": (CPU,)}
_MOST_CANDIDATES = 4096  # TensorRT builds its engines for numbers up to this one, once
_EIGHT_BIT = (b"MatMulInteger", b"DynamicQuantizeLinear")  # names of operators, as they stand in the file
_WORDS = {TENSORRT: "TensorRT", CUDA: "CUDA"}
_LIBRARIES = {TENSORRT: "libonnxruntime_providers_tensorrt.so", CUDA: "libonnxruntime_providers_cuda.so"}
_JETSON = Path("/etc/nv_tegra_release")


@dataclass(frozen=True)
class EngineSettings:
    """How onnxruntime runs.

    ``threads`` compute threads per call. ``spin`` keeps idle threads in a busy loop: faster alone, slower when the
    cores are shared with a simulator. ``providers`` are tried in this order. The others are TensorRT's: ``fp16`` lets
    it compute in half precision, ``engine_cache`` is the folder for its engines, "auto" or "off",
    ``engine_workspace_mb`` [MiB] the memory that it may use for one layer.
    """

    threads: int = 1
    spin: bool = False
    providers: tuple[str, ...] = CHOICES["auto"]
    fp16: bool = False
    engine_cache: str = AUTO
    engine_workspace_mb: int = 1024


@dataclass(frozen=True)
class Provider:
    """What onnxruntime must be told of one execution provider.

    ``device`` is onnxruntime's name of the memory its tensors live in. ``options`` go with every file;
    ``graph_options`` are added for imagine.onnx, which is called again and again at the same shapes, so that its
    kernels are recorded once and replayed as one (a CUDA graph). Empty where the provider has no such thing.
    """

    device: str
    options: dict[str, str] = field(default_factory=dict)
    graph_options: dict[str, str] = field(default_factory=dict)


PROVIDERS = {
    TENSORRT: Provider("cuda", {"device_id": "0"}, {"trt_cuda_graph_enable": "1"}),
    # float32 products stay float32: with TF32 the parity measured at export would not hold.
    CUDA: Provider(
        "cuda", {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}, {"enable_cuda_graph": "1"}
    ),
    CPU: Provider("cpu"),
}


def _silent(_line: str) -> None:
    pass


def half_precision(provider: str, settings: EngineSettings) -> str:
    """What to add to a provider's name where it computes in half precision; nothing where it does not."""
    return " in half precision" if settings.fp16 and provider == TENSORRT else ""


def first_that_works(
    settings: EngineSettings,
    attempt: Callable[[str, bool, EngineSettings], None],
    what: str,
    log: Callable[[str], None],
    graphs: bool = True,
) -> str:
    """Name of the first provider, in the order of ``settings``, with which ``attempt`` raises no EngineError.

    ``attempt`` takes the provider, whether to record graphs, which is tried first where a provider can and ``graphs``
    allows it, and the settings: those given, then without half precision. ``log`` takes a line for the one chosen, and
    one for each that is installed and refused. Raises EngineError, which calls the model ``what``, when none works.
    """
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


def check_usable(provider: str, files: Iterable[Path]) -> None:
    """Raise EngineError for a provider not in this build, and for a GPU where one of ``files`` has eight-bit products.

    No GPU provider has them all: each one's factors would travel to the processor and its result back, in every step.
    """
    if provider not in ort.get_available_providers():
        raise EngineError(f"not in this build of onnxruntime {ort.__version__}")
    for file in files if provider_named(provider).device != "cpu" else ():
        try:
            content = file.read_bytes()
        except OSError as error:
            raise EngineError(f"{file} cannot be read: {error}") from error
        if any(name in content for name in _EIGHT_BIT):
            raise EngineError(
                f"{file} computes in eight bits (export --precision int8), which is for processors; "
                f"export a float32 bundle for a GPU"
            )


def open_session(
    file: Path,
    provider: str,
    settings: EngineSettings,
    *,
    graph: bool = False,
    free: Mapping[str, tuple[int, ...]] | None = None,
    most: int = _MOST_CANDIDATES,
    log: Callable[[str], None] = _silent,
):
    """An onnxruntime.InferenceSession of ``file``, which really runs on ``provider``.

    ``graph`` asks for the provider's graph options. ``free``: the inputs whose first dimension is free, by name, with
    their other dimensions; ``most`` is the largest that the first one will be. ``log`` takes a line where opening takes
    minutes, and one for what is left to the processor. Raises EngineError with the reason when it cannot be had.
    """
    check_usable(provider, [file])
    on_gpu = provider_named(provider).device != "cpu"
    if on_gpu:
        ort.set_default_logger_severity(4)  # what a provider cannot load is told below, in one line
    options = _options(file, provider, settings, graph, free or {}, most, log)
    if on_gpu:
        _load_libraries()
    chosen = [(provider, options)]
    if provider == TENSORRT:  # for what TensorRT does not know
        chosen.append((CUDA, PROVIDERS[CUDA].options))
    try:
        # Without the wrapper's own fall-back: it prints, and hides the reason.
        session = ort.InferenceSession(
            _model(file, on_gpu), _session_options(settings, on_gpu), providers=chosen, enable_fallback=0
        )
    except Exception as error:  # onnxruntime's exceptions have no common base class of their own
        raise EngineError(f"{file} cannot be loaded: {_why(provider) or first_line(error)}") from error
    if session.get_providers()[0] != provider:  # onnxruntime falls back without a word
        reason = _why(provider) or f"onnxruntime fell back to {session.get_providers()[0]}"
        raise EngineError(f"{file}: {reason}")
    if on_gpu and (rest := left_to_processor(session)):
        log(f"{file.name}: left to the processor: {rest}")
    return session


def _model(file: Path, on_gpu: bool) -> str | bytes:
    """What onnxruntime is to open: the file, or its bytes with eight-bit weights as the processor is exact with."""
    content = b"" if on_gpu else file.read_bytes()
    changed = suited(content)
    return str(file) if changed == content else changed


def provider_named(name: str) -> Provider:
    """What the table says of a provider; one that is not in it gets no options and must do with host memory."""
    return PROVIDERS.get(name, Provider("cpu"))


def how_to_get(provider: str) -> str:
    """What to install for a provider that this build of onnxruntime lacks."""
    if provider not in _LIBRARIES:
        return "docs/gpu.md tells which there are"
    if _JETSON.exists() or platform.machine() == "aarch64":
        return (
            "on a Jetson install NVIDIA's onnxruntime-gpu wheel for this JetPack in the place of onnxruntime, "
            "see docs/gpu.md"
        )
    return "install onnxruntime-gpu in the place of onnxruntime, see docs/gpu.md"


def first_line(error: Exception) -> str:
    """The first line of an exception's message: onnxruntime appends its call stack."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def left_to_processor(session: ort.InferenceSession) -> str:
    """How many operators of which kind the processor computes, as "2 Cast, 1 Shape"; empty for none, or unknown.

    onnxruntime before 1.24 does not tell.
    """
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # of no common base; a line for the log keeps no model from running
        return ""
    kinds = Counter(node.op_type for part in parts if part.ep_name == CPU for node in part.get_nodes())
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _options(
    file: Path,
    provider: str,
    settings: EngineSettings,
    graph: bool,
    free: Mapping[str, tuple[int, ...]],
    most: int,
    log: Callable[[str], None],
) -> dict[str, str]:
    known = provider_named(provider)
    options = known.options | known.graph_options if graph else dict(known.options)
    if provider != TENSORRT:
        return options
    precision, here = set_precision(settings.fp16), this_platform()
    folder = None
    if "unknown" not in (here.tensorrt, here.gpu):  # else onnxruntime will say what is missing
        folder = _kept_folder(engine_folder(settings.engine_cache, file, precision, here), log)
        if not engines_kept(folder):
            how_long = "every time: there is no engine cache" if folder is None else f"once; kept in {folder}"
            log(f"TensorRT builds the engines of {file.name} in {precision}: some minutes, {how_long}")
    options |= tensorrt_options(settings.fp16, settings.engine_workspace_mb, folder)
    return options | profile_options(free, most) if free else options


def _kept_folder(folder: Path | None, log: Callable[[str], None]) -> Path | None:
    """``folder``, made where it is missing; None where that cannot be."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # what lies there is run
    except OSError as error:
        log(f"engines cannot be kept: {error}; set engine_cache to a folder of your own")
        return None
    return folder


@lru_cache(maxsize=1)
def _load_libraries() -> None:
    """Load NVIDIA's libraries where they came as wheels, which onnxruntime does not look for by itself."""
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what is missing; ``_why`` tells that
            ort.preload_dlls()


def _why(provider: str) -> str:
    """Why a GPU provider did not start, empty where that is not seen from here."""
    if provider not in _LIBRARIES:
        return ""
    # Only now, and not before onnxruntime tried: the library needs to be told of its host when it is loaded.
    for name in (TENSORRT, CUDA) if provider == TENSORRT else (CUDA,):
        try:
            ctypes.CDLL(str(Path(ort.__file__).parent / "capi" / _LIBRARIES[name]))
        except OSError as error:
            return f"{_LIBRARIES[name]} cannot be loaded ({error}), see docs/gpu.md"
    if this_platform().gpu == "unknown":
        return "no NVIDIA GPU was found by its driver"
    return ""


def _session_options(settings: EngineSettings, on_gpu: bool) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A memory plan is kept for every shape ever seen, and the number of candidates follows the deadline.
    options.enable_mem_pattern = False
    options.log_severity_level = 4  # what fails comes back as an exception, with its reason
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if settings.spin else "0")
    if on_gpu:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options

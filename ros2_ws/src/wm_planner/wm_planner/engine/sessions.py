"""Opens model files with onnxruntime, on one execution provider."""

import contextlib
import ctypes
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from wm_bundle.onnx_runtime import onnxruntime as ort

from wm_planner.engine.eight_bit import suited
from wm_planner.engine.providers import CPU, CUDA, PROVIDERS, TENSORRT, EngineSettings, provider_named
from wm_planner.engine.tensorrt import (
    engine_folder,
    engines_kept,
    profile_options,
    set_precision,
    tensorrt_options,
    this_platform,
)
from wm_planner.errors import EngineError

_MOST_CANDIDATES = 4096  # TensorRT builds its engines once, for up to this many
_EIGHT_BIT = (b"MatMulInteger", b"DynamicQuantizeLinear")  # operator names, as in the file
_LIBRARIES = {TENSORRT: "libonnxruntime_providers_tensorrt.so", CUDA: "libonnxruntime_providers_cuda.so"}


def check_usable(provider: str, files: Iterable[Path]) -> None:
    """Raise EngineError for a provider not in this build, and for a GPU where one of ``files`` has eight-bit products.

    No GPU provider supports them all: tensors would travel to the processor and back in every step.
    """
    if provider not in ort.get_available_providers():
        raise EngineError(f"not in this build of onnxruntime {ort.__version__}")
    for file in files if provider_named(provider).on_gpu else ():
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
    log: Callable[[str], None] = lambda line: None,
):
    """An onnxruntime.InferenceSession of ``file`` that really runs on ``provider``.

    ``graph`` selects the provider's graph options. ``free``: the inputs whose first dimension is free, by name, with
    their other dimensions; ``most`` is the largest that the first one will be. ``log`` gets a line where opening takes
    minutes, and one for what remains on the processor. Raises EngineError with the reason for a failure.
    """
    check_usable(provider, [file])
    on_gpu = provider_named(provider).on_gpu
    if on_gpu:
        ort.set_default_logger_severity(4)  # load failures are reported below, in one line
    chosen = [(provider, _options(file, provider, settings, graph, free or {}, most, log))]
    if provider == TENSORRT:  # for operators that TensorRT lacks
        chosen.append((CUDA, PROVIDERS[CUDA].options))
    if on_gpu:
        _load_libraries()
    try:
        # Without the wrapper's fallback: it prints, and hides the reason.
        session = ort.InferenceSession(
            _model(file, on_gpu), _session_options(settings, on_gpu), providers=chosen, enable_fallback=0
        )
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise EngineError(f"{file} cannot be loaded: {_why(provider) or first_line(error)}") from error
    if session.get_providers()[0] != provider:  # onnxruntime falls back silently
        reason = _why(provider) or f"onnxruntime fell back to {session.get_providers()[0]}"
        raise EngineError(f"{file}: {reason}")
    if on_gpu and (rest := left_to_processor(session)):
        log(f"{file.name}: left to the processor: {rest}")
    return session


def _model(file: Path, on_gpu: bool) -> str | bytes:
    """The file, or its bytes with eight-bit weights in the form that this processor multiplies exactly."""
    if on_gpu or (changed := suited(content := file.read_bytes())) == content:
        return str(file)
    return changed


def first_line(error: Exception) -> str:
    """The first line of the message: onnxruntime appends its call stack."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def left_to_processor(session: ort.InferenceSession) -> str:
    """Count and kind of the operators computed on the processor, as "2 Cast, 1 Shape"; empty for none, and before
    onnxruntime 1.24, which does not report it."""
    try:
        parts = session.get_provider_graph_assignment_info()
    except Exception:  # no common base; a log line must not stop a model from running
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
    if "unknown" not in (here.tensorrt, here.gpu):  # else onnxruntime will report what is missing
        folder = _made(engine_folder(settings.engine_cache, file, precision, here), log)
        if not engines_kept(folder):
            how_long = "every time, without an engine cache" if folder is None else f"once; kept in {folder}"
            log(f"TensorRT builds the engines of {file.name} in {precision}: this takes minutes, {how_long}")
    options |= tensorrt_options(settings.fp16, settings.engine_workspace_mb, folder)
    return options | profile_options(free, most) if free else options


def _made(folder: Path | None, log: Callable[[str], None]) -> Path | None:
    """``folder``, created if missing; None where that fails."""
    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # its contents are executed
    except OSError as error:
        log(f"engines cannot be kept: {error}; set engine_cache to a folder that you own")
        return None
    return folder


@lru_cache(maxsize=1)
def _load_libraries() -> None:
    """Load NVIDIA's libraries from their wheels, where onnxruntime does not look by itself."""
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what is missing; ``_why`` reports that
            ort.preload_dlls()


def _why(provider: str) -> str:
    """Why a GPU provider did not start, empty where unknown."""
    if provider not in _LIBRARIES:
        return ""
    # Only after onnxruntime tried: the library must be given its host when it is loaded.
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
    # A memory plan would be kept for every shape, and the number of candidates varies with the deadline.
    options.enable_mem_pattern = False
    options.log_severity_level = 4  # failures raise an exception that has the reason
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if settings.spin else "0")
    # On arm64 with SME it quantizes in another way than the export did: the self-check of an int8 bundle fails.
    options.add_session_config_entry("mlas.disable_kleidiai", "1")
    if on_gpu:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options

"""Opens the files of a bundle with onnxruntime on one execution provider.

What differs between providers stands in one table: the options they get, and where their tensors live.
"""

from dataclasses import dataclass, field

import onnxruntime as ort
from wm_bundle import Bundle

from wm_planner.errors import EngineError

_MOST_CANDIDATES = 4096  # TensorRT builds its engines for numbers up to this one, once


@dataclass(frozen=True)
class EngineSettings:
    """How onnxruntime runs.

    ``threads`` compute threads per call. ``spin`` keeps idle threads in a busy loop: faster alone, slower when the
    cores are shared with a simulator. ``providers`` are tried in this order.
    """

    threads: int = 1
    spin: bool = False
    providers: tuple[str, ...] = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")


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
    "TensorrtExecutionProvider": Provider(
        "cuda", {"device_id": "0"}, {"trt_cuda_graph_enable": "1"}),
    # float32 products stay float32: with TF32 the parity measured at export would not hold.
    "CUDAExecutionProvider": Provider(
        "cuda", {"device_id": "0", "use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
        {"enable_cuda_graph": "1"}),
    "CPUExecutionProvider": Provider("cpu"),
}  # fmt: skip


def open_session(bundle: Bundle, name: str, provider: str, graph: bool, settings: EngineSettings):
    """An onnxruntime.InferenceSession of the bundle's file ``name``, which really runs on ``provider``.

    ``graph`` asks for the provider's graph options. Raises EngineError with the reason when it cannot be had.
    """
    file = bundle.file(name)
    known = provider_named(provider)
    options = known.options | known.graph_options if graph else dict(known.options)
    if provider == "TensorrtExecutionProvider":
        options |= _tensorrt_profile(bundle, name)
    try:
        session = ort.InferenceSession(str(file), _session_options(settings), providers=[(provider, options)])
    except Exception as error:  # onnxruntime's exceptions have no common base class of their own
        raise EngineError(f"{file} cannot be loaded: {first_line(error)}") from error
    if session.get_providers()[0] != provider:  # onnxruntime falls back without a word
        raise EngineError(f"{file}: onnxruntime fell back to {session.get_providers()[0]}")
    return session


def provider_named(name: str) -> Provider:
    """What the table says of a provider; one that is not in it gets no options and must do with host memory."""
    return PROVIDERS.get(name, Provider("cpu"))


def first_line(error: Exception) -> str:
    """The first line of an exception's message: onnxruntime appends its call stack."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def _session_options(settings: EngineSettings) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A memory plan is kept for every shape ever seen, and the number of candidates follows the deadline.
    options.enable_mem_pattern = False
    options.log_severity_level = 4  # what fails comes back as an exception, with its reason
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if settings.spin else "0")
    return options


def _tensorrt_profile(bundle: Bundle, name: str) -> dict[str, str]:
    """The range of shapes to build for: without it TensorRT builds anew, for seconds, at every new shape."""
    manifest = bundle.manifest
    free = {
        "imagine.onnx": {"actions": (manifest.horizon, 3), "noise": (manifest.horizon, manifest.latent.stochastic)},
        "decode.onnx": {"belief": (manifest.latent.belief,)},
    }.get(name, {})

    def shapes(count: int) -> str:
        return ",".join(f"{tensor}:{'x'.join(str(size) for size in (count, *rest))}" for tensor, rest in free.items())

    if not free:
        return {}
    return {
        "trt_profile_min_shapes": shapes(1),
        "trt_profile_opt_shapes": shapes(64),
        "trt_profile_max_shapes": shapes(_MOST_CANDIDATES),
    }

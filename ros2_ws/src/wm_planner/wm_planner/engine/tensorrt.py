"""TensorRT's options in onnxruntime: precision, limits, and where its engines are kept.

TensorRT compiles a model into an *engine* for one GPU and one TensorRT version, which takes minutes. onnxruntime names
an engine's file by the model's nodes, not its weights: two training runs of one architecture would share it. So every
model file gets its own folder, named by its hash.
"""

import ctypes
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wm_bundle.files import sha256_of
from wm_bundle.onnx_runtime import onnxruntime as ort

AUTO, OFF = "auto", "off"  # values of the parameter engine_cache that are not folders
_TYPICAL_CANDIDATES = 64  # engines are tuned for this many
_MEBIBYTE = 2**20
_TF32 = "NVIDIA_TF32_OVERRIDE"  # at 0 NVIDIA's libraries do not round products to TF32
_LIBRARIES = ("libnvinfer.so.10", "libnvinfer.so.11", "libnvinfer.so.8")
_MAJOR, _MINOR = 75, 76  # CUdevice_attribute: compute capability


@dataclass(frozen=True)
class Platform:
    """What an engine depends on: versions, and the first GPU's name."""

    onnxruntime: str
    tensorrt: str
    gpu: str


def engine_folder(engine_cache: str, file: Path, precision: str, platform: Platform) -> Path | None:
    """The folder for the engines of the model ``file``; None where ``engine_cache`` is "off". Raises OSError for an
    unreadable model."""
    if engine_cache == OFF:
        return None
    root = _user_cache() if engine_cache == AUTO else Path(engine_cache).expanduser().resolve()
    builder = f"onnxruntime-{platform.onnxruntime}_tensorrt-{platform.tensorrt}_{platform.gpu}"
    return root / _plain(builder) / f"{_plain(file.stem)}-{sha256_of(file)[:16]}-{precision}"


def tensorrt_options(fp16: bool, workspace_mb: int, folder: Path | None) -> dict[str, str]:
    """Options of onnxruntime's TensorRT provider; ``folder`` keeps the engines, None: they are rebuilt every time.

    Its parent holds the kernel timings, which speed up building the next model's engines.
    """
    options = {"trt_fp16_enable": "1" if fp16 else "0", "trt_max_workspace_size": str(workspace_mb * _MEBIBYTE)}
    if folder is not None:
        options |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(folder.parent),
        }
    return options


def profile_options(free: Mapping[str, tuple[int, ...]], most: int) -> dict[str, str]:
    """The range of shapes to build for: without it TensorRT rebuilds, for seconds, at every new shape. ``free`` and
    ``most`` as in ``open_session``."""

    def shapes(count: int) -> str:
        return ",".join(f"{tensor}:{'x'.join(str(size) for size in (count, *rest))}" for tensor, rest in free.items())

    return {
        "trt_profile_min_shapes": shapes(1),
        "trt_profile_opt_shapes": shapes(min(_TYPICAL_CANDIDATES, most)),
        "trt_profile_max_shapes": shapes(most),
    }


def set_precision(fp16: bool) -> str:
    """Set this process's precision, and return its name: float32, fp16 or tf32.

    TensorRT rounds the factors of float32 products to TF32 unless the environment forbids it, and the parity measured
    at export would be lost. A variable that is already set wins. Call it before NVIDIA's libraries are loaded."""
    if fp16:
        return "fp16"
    return "float32" if os.environ.setdefault(_TF32, "0") == "0" else "tf32"


def engines_kept(folder: Path | None) -> bool:
    """Whether there are engines in ``folder``."""
    return folder is not None and any(folder.glob("*.engine"))


@lru_cache(maxsize=1)
def this_platform() -> Platform:
    """What an engine built in this process depends on, "unknown" for what is missing."""
    return Platform(ort.__version__, tensorrt_version(), gpu_name())


def gpu_name() -> str:
    """Name and compute capability of the first GPU, "unknown" where there is none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "unknown"
    device, name = ctypes.c_int(), ctypes.create_string_buffer(256)
    numbers = [ctypes.c_int(), ctypes.c_int()]
    calls = [
        driver.cuInit(0),
        driver.cuDeviceGet(ctypes.byref(device), 0),
        driver.cuDeviceGetName(name, len(name), device),
        *(
            driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
            for number, attribute in zip(numbers, (_MAJOR, _MINOR), strict=True)
        ),
    ]
    if any(calls):  # 0 is success
        return "unknown"
    return f"{name.value.decode(errors='replace')} sm{numbers[0].value}{numbers[1].value}"


def tensorrt_version() -> str:
    """The version of the installed TensorRT, "unknown" where there is none."""
    for name in _LIBRARIES:
        try:
            number = ctypes.CDLL(name).getInferLibVersion()
        except (OSError, AttributeError):
            continue
        unit = 10_000 if number >= 10_000 else 1000  # 10.9.0 is 100900, 8.6.1 was 8601
        return f"{number // unit}.{number % unit // 100}.{number % 100}"
    return "unknown"


def _user_cache() -> Path:
    """Following the XDG base directory specification, which ignores a path that is not absolute."""
    told = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (told if told.is_absolute() else Path.home() / ".cache") / "wm_planner" / "tensorrt"


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)

"""What onnxruntime tells TensorRT, and which models a GPU may have."""

import os
from types import SimpleNamespace

import pytest
from onnx import TensorProto, helper, save
from wm_bundle.onnx_runtime import onnxruntime
from wm_planner.engine import providers, sessions, tensorrt
from wm_planner.engine.providers import CPU, CUDA, TENSORRT, EngineSettings, first_that_works
from wm_planner.engine.sessions import check_usable, left_to_processor
from wm_planner.engine.tensorrt import Platform, engine_folder, engines_kept, profile_options, tensorrt_options
from wm_planner.errors import EngineError

HERE = Platform("1.31.1", "10.9.0", "NVIDIA Orin sm87")


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "imagine.onnx"
    file.write_bytes(b"weights of a first training")
    return file


def test_engines_of_another_model_precision_gpu_or_version_have_another_folder(model, tmp_path):
    def folder(precision="float32", platform=HERE):
        return engine_folder(str(tmp_path / "cache"), model, precision, platform)

    first = folder()
    assert first == folder() and first.is_relative_to(tmp_path / "cache")
    others = {
        folder("fp16"),
        folder(platform=Platform("1.31.1", "10.9.0", "NVIDIA H200 sm90")),
        folder(platform=Platform("1.31.1", "10.10.0", "NVIDIA Orin sm87")),
        folder(platform=Platform("1.32.0", "10.9.0", "NVIDIA Orin sm87")),
    }
    model.write_bytes(b"weights of a later training")  # the same file name, and the same names of nodes
    others.add(folder())
    assert first not in others and len(others) == 5
    assert all(" " not in str(one.relative_to(tmp_path)) for one in others)


def test_engines_go_to_the_users_cache_directory_unless_told_otherwise(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert engine_folder("auto", model, "float32", HERE).is_relative_to(tmp_path / "xdg" / "wm_planner")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for not_absolute in ("", "somewhere"):
        monkeypatch.setenv("XDG_CACHE_HOME", not_absolute)
        assert engine_folder("auto", model, "float32", HERE).is_relative_to(tmp_path / "home" / ".cache")
    assert engine_folder("off", model, "float32", HERE) is None


def test_the_options_follow_the_settings(tmp_path):
    folder = tmp_path / "gpu" / "model"
    assert tensorrt_options(True, 256, folder) == {
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": "268435456",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(tmp_path / "gpu"),
    }
    assert tensorrt_options(False, 1024, None) == {"trt_fp16_enable": "0", "trt_max_workspace_size": "1073741824"}


def test_engines_are_built_for_every_number_of_candidates_at_once():
    assert profile_options({"actions": (12, 3), "noise": (12, 32)}, 4096) == {
        "trt_profile_min_shapes": "actions:1x12x3,noise:1x12x32",
        "trt_profile_opt_shapes": "actions:64x12x3,noise:64x12x32",
        "trt_profile_max_shapes": "actions:4096x12x3,noise:4096x12x32",
    }
    assert profile_options({"image": (3, 64, 64)}, 1)["trt_profile_opt_shapes"] == "image:1x3x64x64"


def test_float32_products_are_not_rounded_unless_the_user_says_so(monkeypatch):
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    assert tensorrt.set_precision(fp16=True) == "fp16" and "NVIDIA_TF32_OVERRIDE" not in os.environ
    assert tensorrt.set_precision(fp16=False) == "float32" and os.environ["NVIDIA_TF32_OVERRIDE"] == "0"
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    assert tensorrt.set_precision(fp16=False) == "tf32"


class Driver:
    """NVIDIA's driver with one GPU, as far as it is asked; ``status`` is what its beginning says, 0 for success."""

    def __init__(self, status: int):
        self.cuInit = lambda flags: status
        self.cuDeviceGet = lambda device, number: 0

    def cuDeviceGetName(self, name, size, device) -> int:
        name.value = b"NVIDIA Orin"
        return 0

    def cuDeviceGetAttribute(self, number, attribute, device) -> int:
        number._obj.value = {75: 8, 76: 7}[attribute]
        return 0


def test_the_gpu_is_named_with_its_compute_capability(monkeypatch):
    for status, expected in ((0, "NVIDIA Orin sm87"), (100, "unknown")):
        monkeypatch.setattr(tensorrt.ctypes, "CDLL", lambda name, status=status: Driver(status))
        assert tensorrt.gpu_name() == expected


@pytest.mark.parametrize("number, version", [(101601, "10.16.1"), (100900, "10.9.0"), (8601, "8.6.1")])
def test_the_version_of_tensorrt_is_read_from_its_number(number, version, monkeypatch):
    library = SimpleNamespace(getInferLibVersion=lambda: number)
    monkeypatch.setattr(tensorrt.ctypes, "CDLL", lambda name: library)
    assert tensorrt.tensorrt_version() == version


def options_told(model, monkeypatch, settings, platform=HERE) -> tuple[dict, list[str]]:
    """Options and log lines of a model that TensorRT is to open on ``platform``."""
    lines = []
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.setattr(sessions, "this_platform", lambda: platform)
    options = sessions._options(model, TENSORRT, settings, True, {"actions": (12, 3)}, 64, lines.append)
    return options, lines


def test_the_first_start_tells_of_the_minutes_and_later_ones_find_the_engines(model, tmp_path, monkeypatch):
    settings = EngineSettings(engine_cache=str(tmp_path / "cache"))
    options, (line,) = options_told(model, monkeypatch, settings)
    folder = engine_folder(settings.engine_cache, model, "float32", HERE)
    assert options["trt_engine_cache_path"] == str(folder) and folder.is_dir()
    assert options["trt_cuda_graph_enable"] == "1" and options["trt_profile_max_shapes"] == "actions:64x12x3"
    assert "builds the engines of imagine.onnx in float32: this takes minutes, once; kept in" in line
    (folder / "some.engine").write_bytes(b"built")
    assert engines_kept(folder) and options_told(model, monkeypatch, settings) == (options, [])


def test_without_a_place_for_them_engines_are_built_every_time_and_driving_goes_on(model, tmp_path, monkeypatch):
    options, lines = options_told(model, monkeypatch, EngineSettings(engine_cache="off"))
    assert "trt_engine_cache_enable" not in options and "every time, without an engine cache" in lines[0]
    (tmp_path / "file").write_text("in the way")
    options, lines = options_told(model, monkeypatch, EngineSettings(engine_cache=str(tmp_path / "file")))
    assert "trt_engine_cache_enable" not in options and "engines cannot be kept" in lines[0] and len(lines) == 2


def test_nothing_is_kept_where_gpu_or_tensorrt_is_not_known(model, tmp_path, monkeypatch):
    for platform in (Platform("1.31.1", "unknown", "NVIDIA Orin sm87"), Platform("1.31.1", "10.9.0", "unknown")):
        options, lines = options_told(model, monkeypatch, EngineSettings(engine_cache=str(tmp_path / "c")), platform)
        assert "trt_engine_cache_enable" not in options and lines == [] and not (tmp_path / "c").exists()


def eight_bit_model(file):
    inputs = [helper.make_tensor_value_info(name, TensorProto.UINT8, [2, 2]) for name in "ab"]
    outputs = [helper.make_tensor_value_info("c", TensorProto.INT32, [2, 2])]
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["a", "b"], ["c"])], "eight", inputs, outputs)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), file)
    return file


def test_a_gpu_refuses_eight_bit_products_and_the_processor_takes_them(tmp_path, monkeypatch):
    file = eight_bit_model(tmp_path / "imagine.onnx")
    monkeypatch.setattr(providers.ort, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    lines = []
    chosen = first_that_works(
        EngineSettings(), lambda provider, *_: check_usable(provider, [file]), "bundle", lines.append
    )
    assert chosen == CPU
    refused = [line for line in lines if line.startswith("refused")]
    assert len(refused) == 2 and all("imagine.onnx computes in eight bits" in line for line in refused)
    with pytest.raises(EngineError, match="export a float32 bundle for a GPU"):
        check_usable(CUDA, [file])


def test_half_precision_on_another_provider_than_tensorrt_is_told_to_do_nothing():
    lines = []
    first_that_works(EngineSettings(providers=(CPU,), fp16=True), lambda *_: None, "bundle", lines.append)
    assert lines[-1] == f"fp16 is TensorRT's: {CPU} computes as the model was exported"


@pytest.mark.skipif(
    not hasattr(onnxruntime.InferenceSession, "get_provider_graph_assignment_info"),
    reason="this onnxruntime does not tell",
)
def test_onnxruntime_tells_what_is_left_to_the_processor(tmp_path):
    file = str(eight_bit_model(tmp_path / "imagine.onnx"))
    told = sessions._session_options(EngineSettings(), on_gpu=True)
    assert left_to_processor(onnxruntime.InferenceSession(file, told, providers=[CPU])) == "1 MatMulInteger"
    silent = sessions._session_options(EngineSettings(), on_gpu=False)
    assert left_to_processor(onnxruntime.InferenceSession(file, silent, providers=[CPU])) == ""


def test_what_is_left_to_the_processor_is_counted_by_kind():
    def part(ep_name, *kinds):
        return SimpleNamespace(ep_name=ep_name, get_nodes=lambda: [SimpleNamespace(op_type=kind) for kind in kinds])

    session = SimpleNamespace(
        get_provider_graph_assignment_info=lambda: [
            part(CUDA, "Gemm", "Cast"),
            part(CPU, "Shape", "Cast"),
            part(CPU, "Shape"),
        ]
    )
    assert left_to_processor(session) == "2 Shape, 1 Cast"
    assert left_to_processor(SimpleNamespace()) == ""  # an onnxruntime that does not tell

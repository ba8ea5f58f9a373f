"""Nothing leaves the machine by onnxruntime: its telemetry is off before the first import, wherever that is."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from wm_bundle.onnx_runtime import onnxruntime

ROOT = Path(__file__).parents[2]
ONLY_IMPORTER = ROOT / "ros2_ws/src/wm_bundle/wm_bundle/onnx_runtime.py"

NO_NETWORK = ("unshare", "--map-root-user", "--net")

# argv: the model, the import to try, and how long to wait [s] for something written below home, which a thread does.
# The session and two runs are what its telemetry counts.
PROGRAM = """
import importlib, pathlib, sys, time
import numpy
module = importlib.import_module(sys.argv[2])
session = getattr(module, "onnxruntime", module).InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
for _ in range(2):
    session.run(None, {"x": numpy.zeros(3, numpy.float32)})
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end and not any(path.is_file() for path in pathlib.Path.home().rglob("*")):
    time.sleep(0.02)
"""


def sources():
    """Every Python file of the project, without what is built or installed."""
    folders = ["benchmarks", "docs", "launch", "ros2_ws/src", "scripts", "tests", "tools"]
    return [file for folder in folders for file in (ROOT / folder).rglob("*.py")]


def imports_of_onnxruntime(text: str) -> list[int]:
    """Lines that import onnxruntime, by statement or by its name in quotes."""
    if "onnxruntime" not in text:
        return []
    lines = []
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Call) and re.search(r"import", ast.unparse(node.func)):
            names = [word.value for word in node.args if isinstance(word, ast.Constant) and isinstance(word.value, str)]
        lines += [node.lineno for name in names if name.partition(".")[0] == "onnxruntime"]
    return lines


@pytest.mark.parametrize(
    "statement",
    [
        "import onnxruntime",
        "import onnxruntime as ort",
        "from onnxruntime.quantization import quantize_dynamic",
        'pytest.importorskip("onnxruntime")',
        'importlib.import_module("onnxruntime")',
        "import numpy, onnxruntime.capi",
    ],
)
def test_every_way_to_import_it_is_seen(statement):
    assert imports_of_onnxruntime(f"import numpy\n{statement}\n") == [2]


def test_one_module_imports_it():
    found = {file for file in sources() if imports_of_onnxruntime(file.read_text(encoding="utf-8"))}
    assert found == {ONLY_IMPORTER}, "take it from wm_bundle.onnx_runtime, which switches the telemetry off first"


def test_no_shell_or_container_starts_it_by_itself():
    files = [file for pattern in ("docker/*", "scripts/*.sh", "*.sh", "Makefile") for file in ROOT.glob(pattern)]
    assert len(files) > 8
    for file in files:
        assert not re.search(r"(import|-m) +onnxruntime", file.read_text(encoding="utf-8")), file


@pytest.mark.parametrize("package", ["onnxruntime", "cv2", "PIL"])
def test_wm_bundle_works_without(package):
    program = f"import sys; sys.modules['{package}'] = None; import wm_bundle; print(wm_bundle.FORMAT_VERSION)"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


def run(tmp_path, module: str, *before: str, wait_s: float = 2.0) -> set[str]:
    """Run PROGRAM with an empty home folder and no variable of ours; returns what was written there."""
    file = tmp_path / "tiny.onnx"
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "tiny", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    home = tmp_path / "home"
    home.mkdir()
    # On machines for CI, known by CI, it sends nothing by itself.
    environment = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    # XDG_CACHE_HOME is where it looks first.
    environment |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [*before, sys.executable, "-c", PROGRAM, str(file), module, str(wait_s)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def test_a_process_that_opens_a_model_writes_nothing_below_home(tmp_path):
    assert run(tmp_path, "wm_bundle.onnx_runtime") == set()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_process_that_opens_a_model_connects_to_nothing(tmp_path):
    trace = tmp_path / "trace.txt"
    run(tmp_path, "wm_bundle.onnx_runtime", "strace", "-f", "-o", str(trace), "-e", "trace=connect,sendto,sendmmsg")
    text = trace.read_text(errors="replace")
    assert "exited with 0" in text and "AF_INET" not in text


def test_the_look_below_home_sees_the_telemetry_where_it_is_on(tmp_path):
    # With the network taken away. Otherwise the other test would pass by itself.
    if not onnxruntime.__version__.startswith("1.32."):
        pytest.skip("an onnxruntime without telemetry")
    if shutil.which("unshare") is None or subprocess.run([*NO_NETWORK, "true"], capture_output=True).returncode != 0:
        pytest.skip("no process can be kept from the network here")
    assert any("onnxruntime" in name for name in run(tmp_path, "onnxruntime", *NO_NETWORK, wait_s=60.0))

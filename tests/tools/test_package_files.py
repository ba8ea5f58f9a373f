"""package.xml, setup.py and what the sources import agree, and rosdep knows every key."""

import ast
import re
import runpy
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "ros2_ws/src"
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/package.xml"))
PYTHON_PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/setup.py"))

# rosdep's own keys (rosdistro's python.yaml, seen 2026-08), the module that each brings, and its Debian package, which
# Ubuntu 22.04, 24.04 and 26.04 call the same.
KEYS = {
    "python3-aiohttp": ("aiohttp", "python3-aiohttp"),
    "python3-jinja2": ("jinja2", "python3-jinja2"),
    "python3-matplotlib": ("matplotlib", "python3-matplotlib"),
    "python3-numpy": ("numpy", "python3-numpy"),
    "python3-opencv": ("cv2", "python3-opencv"),
    "python3-pil": ("PIL", "python3-pil"),
    "python3-protobuf": ("google", "python3-protobuf"),
    "python3-pytest": ("pytest", "python3-pytest"),
    "python3-pytest-timeout": ("pytest_timeout", "python3-pytest-timeout"),
    "python3-rich": ("rich", "python3-rich"),
    "python3-yaml": ("yaml", "python3-yaml"),
}
# Released in Humble, Jazzy, Kilted and Lyrical (rosdistro, seen 2026-08). carla_msgs is neither there nor a key: it is
# built here.
ROS_PACKAGES = {
    "ament_cmake",
    "ament_cmake_python",
    "ament_index_python",
    "builtin_interfaces",
    "diagnostic_msgs",
    "geometry_msgs",
    "launch",
    "launch_ros",
    "lifecycle_msgs",
    "nav_msgs",
    "rcl_interfaces",
    "rclpy",
    "ros2launch",
    "rosgraph_msgs",
    "rosidl_default_generators",
    "rosidl_default_runtime",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "visualization_msgs",
}
# Without a key, or with one that brings any version: the set-up installs these, pinned, into its virtual environment.
FROM_PIP = {
    "av": "av",
    "docstring_parser": "docstring_parser",
    "google_crc32c": "google-crc32c",
    "gymnasium": "gymnasium",
    "highway_env": "highway-env",
    "ijson": "ijson",
    "lightning_fabric": "lightning-fabric",
    "markupsafe": "MarkupSafe",
    "mcap": "mcap",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "plotly": "plotly",
    "pygame": "pygame-ce",
    "pyarrow": "pyarrow",
    "ray": "ray",
    "rosbags": "rosbags",
    "tensorboard": "tensorboard",
    "torch": "torch",
    "tyro": "tyro",
    "zstandard": "zstandard",
}
# Used where a real ROS 2 has it, and announced where it is missing.
OPTIONAL = {"cv_bridge"}


def manifest(package: str) -> ElementTree.Element:
    return ElementTree.parse(SOURCE / package / "package.xml").getroot()


def dependencies(package: str) -> set[str]:
    return {entry.text for entry in manifest(package) if entry.tag.endswith("depend")}


def imported(package: str) -> set[str]:
    """The packages that a package's modules import, without Python's and its own."""
    files = [*(SOURCE / package / package).rglob("*.py")]
    replays = ROOT / "launch/bag_replay.launch.py"  # the only one that needs the tools
    if package == "wm_planner":
        files += {*(ROOT / "launch").glob("*.py")} - {replays}
    if package == "wm_tools":
        files.append(replays)
    names = set()
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - {package}


def setup_arguments(package: str) -> dict:
    """What setup.py calls setup() with, as far as it is written out there."""
    for node in ast.walk(ast.parse((SOURCE / package / "setup.py").read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup":
            return {
                word.arg: ast.literal_eval(word.value)
                for word in node.keywords
                if isinstance(word.value, (ast.Constant, ast.Dict, ast.List))
                and not any(isinstance(part, (ast.Starred, ast.Call)) for part in ast.walk(word.value))
            }
    raise AssertionError(f"{package}/setup.py calls no setup()")


@pytest.mark.parametrize("package", PACKAGES)
def test_rosdep_knows_every_dependency(package):
    assert dependencies(package) - set(PACKAGES) - ROS_PACKAGES - set(KEYS) == set()


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_everything_imported_is_declared_or_pinned_and_nothing_is_unknown(package):
    key_of = {module: key for key, (module, _) in KEYS.items()}
    needed = {key_of.get(name, name) for name in imported(package) - set(FROM_PIP) - OPTIONAL}
    missing = needed - dependencies(package)
    assert missing == set(), f"add <exec_depend> to {package}/package.xml, or name what pip brings in this test"


def test_a_car_needs_ros_numpy_opencv_onnxruntime_and_the_bundles_code_alone():
    mine = set(PACKAGES) - {"wm_bundle", "wm_imagination", "wm_msgs", "ackermann_msgs", "carla_msgs", "tf2_msgs"}
    for package in ("wm_planner", "wm_bundle"):
        needed = dependencies(package) - {"python3-pytest", "python3-pytest-timeout"}
        assert needed & mine == set()
        # yaml and PIL are rclpy's and launch's own needs; Pillow reads the pictures that OpenCV does not.
        assert needed - set(PACKAGES) - ROS_PACKAGES <= {
            "python3-numpy",
            "python3-opencv",
            "python3-yaml",
            "python3-pil",
        }
        assert imported(package) & set(FROM_PIP) <= {"onnxruntime"}
    lines = (ROOT / "requirements/car.txt").read_text()
    pinned = set(re.findall(r"^([\w.-]+)==", lines, re.MULTILINE))
    of_onnxruntime = {"coloredlogs", "flatbuffers", "humanfriendly", "mpmath", "protobuf", "sympy"}
    assert pinned == {"onnxruntime", "opencv-python-headless", "pillow"} | of_onnxruntime


def test_what_pip_brings_is_pinned():
    lines = "\n".join(file.read_text() for file in (ROOT / "requirements").glob("*.txt"))
    pinned = {name.lower().replace("_", "-") for name in re.findall(r"^([\w.-]+)==", lines, re.MULTILINE)}
    assert {name.lower().replace("_", "-") for name in FROM_PIP.values()} <= pinned


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is_and_who_keeps_it(package):
    root = manifest(package)
    assert root.get("format") == "3" and root.findtext("name") == package
    assert re.fullmatch(r"\d+\.\d+\.\d+", root.findtext("version"))
    assert root.findtext("license") == "Apache-2.0"
    assert "@" in root.find("maintainer").get("email") and root.findtext("description").strip().endswith(".")
    assert root.findtext("export/build_type") == ("ament_python" if package in PYTHON_PACKAGES else "ament_cmake")


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_setup_py_says_the_same_and_its_commands_exist(package):
    root, arguments = manifest(package), setup_arguments(package)
    for name in ("name", "version", "description", "license", "maintainer"):
        assert arguments[name] == root.findtext(name).strip()
    assert arguments["maintainer_email"] == root.find("maintainer").get("email")
    assert arguments["extras_require"] == {"test": ["pytest"]}  # what makes `colcon test` run pytest
    for command in arguments.get("entry_points", {}).get("console_scripts", ()):
        module, _, function = command.partition("=")[2].strip().partition(":")
        path = SOURCE / package / f"{module.replace('.', '/')}.py"
        assert f"def {function}(" in path.read_text(), command
    assert (SOURCE / package / "resource" / package).is_file()


def test_colcon_test_runs_the_tests_of_every_package():
    # In ros2_ws/colcon.meta, because the tests lie beside the workspace and not in the packages.
    meta = (ROOT / "ros2_ws/colcon.meta").read_text()
    folders = [path.name for path in (ROOT / "tests").iterdir() if path.name.startswith("wm_")]
    assert sorted(folders) == PYTHON_PACKAGES
    for folder in (*folders, "ros"):
        assert f'"../../../tests/{folder}"' in meta


def test_the_planners_data_files_are_those_of_a_fresh_checkout(tmp_path, monkeypatch):
    for file in ("launch/one.launch.py", "launch/__pycache__/one.launch.cpython-311.pyc", "models/mine/bundle.json"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    given = {}
    monkeypatch.setattr("setuptools.setup", lambda **words: given.update(words))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(SOURCE / "wm_planner/setup.py"))
    installed = {file for _, files in given["data_files"] for file in files}
    assert {"launch/one.launch.py", "models/mine/bundle.json"} <= installed
    assert not any("__pycache__" in file for file in installed)

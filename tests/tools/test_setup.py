"""The set-up: one line for what only the user can install, no work done twice, none lost by an interruption."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from set_up import packages, system, virtualenv, workspace
from set_up.stamps import SetUpError, Stamps, run_logged, running

ROOT = Path(__file__).parents[2]
SOURCED = {"AMENT_PREFIX_PATH": "/somewhere"}


def bash(command: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs a command in a bash of its own that has only the given variables and a plain PATH."""
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "ROS_ROOT_FOLDER": "/nonexistent"}
    return subprocess.run(
        ["/bin/bash", "--norc", "-c", command], env={**clean, **variables}, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def checkout(tmp_path):
    """A copy of the set-up scripts, with just enough beside them to look set up to env.sh."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("env.sh", "requirements", "tools"):
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path)
    return tmp_path


def look_set_up(checkout: Path) -> None:
    (checkout / ".venv/bin").mkdir(parents=True)
    (checkout / ".venv/bin/python").symlink_to(sys.executable)
    (checkout / ".venv/lib/python3.11/site-packages/ros_rclpy.libs").mkdir(parents=True)
    (checkout / "ros2_ws/install").mkdir(parents=True)
    for shell in ("sh", "bash", "zsh"):
        (checkout / f"ros2_ws/install/local_setup.{shell}").write_text('export BUILT="$NEVER_SET yes"\n')


def test_an_old_python_gets_the_line_to_run(checkout):
    old = checkout / "old_python"
    old.write_text("#!/bin/sh\nexit 1\n")  # says no to the question for its version
    old.chmod(0o755)
    result = bash(f"{checkout}/scripts/setup.sh drive", PYTHON=str(old))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "no Python 3.10 to 3.13 found; run: sudo apt-get install -y python3 python3-venv" in result.stderr


def test_missing_compilers_get_the_line_to_run(checkout):
    result = subprocess.run(
        [sys.executable, "-m", "set_up", str(checkout), "drive"],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": str(checkout), "PYTHONPATH": str(checkout / "scripts"), "WM_ROS": "wheels"},
    )
    assert result.returncode == 1
    assert result.stderr == "error: missing system packages; run: sudo apt-get install -y g++ make\n"


@pytest.mark.parametrize("purpose, needs_it", [("drive", True), ("car", False)])
def test_on_arm64_the_simulator_s_physics_need_a_compiler_of_their_own(monkeypatch, purpose, needs_it):
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert ("swig" in system.missing_apt_packages("wheels", purpose)) is needs_it


def test_a_python_without_wheels_for_the_simulator_is_refused_except_for_a_car(monkeypatch):
    monkeypatch.setattr(system, "missing_apt_packages", lambda ros, purpose: [])
    monkeypatch.setattr(sys, "version_info", (3, 14, 3, "final", 0))  # Lyrical's
    system.check("lyrical", "car")
    with pytest.raises(SetUpError, match=r"Python 3\.14.*scripts/setup\.sh car"):
        system.check("lyrical", "drive")


def test_another_ros_is_refused_in_one_line(checkout):
    result = bash(f"{checkout}/scripts/setup.sh drive", ROS_DISTRO="noetic")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1 and "ROS 'noetic' is sourced" in result.stderr


@pytest.mark.parametrize(
    "variables, installed, chosen",
    [
        ({}, ["humble", "jazzy", "kilted"], "jazzy"),
        ({}, ["humble", "lyrical"], "humble"),
        ({"WM_ROS_DISTRO": "kilted"}, ["jazzy", "kilted"], "kilted"),
        ({"WM_ROS_DISTRO": "kilted"}, ["jazzy"], "wheels"),
        ({"ROS_DISTRO": "humble", **SOURCED}, ["humble", "jazzy"], "humble"),
        ({"ROS_DISTRO": "lyrical", "WM_ROS_DISTRO": "lyrical", **SOURCED}, ["jazzy"], "lyrical"),
        ({"ROS_DISTRO": "kilted"}, ["jazzy", "kilted"], "kilted"),  # as in the image ros:kilted
        ({}, [], "wheels"),
    ],
)
def test_the_sourced_ros_is_used_else_the_named_one_else_an_installed_one(checkout, variables, installed, chosen):
    for distro in installed:
        (checkout / "opt" / distro).mkdir(parents=True)
        for shell in ("sh", "bash"):
            (checkout / "opt" / distro / f"setup.{shell}").write_text(f"SOURCED={distro}\n")
    script = f"set -u; source {checkout}/scripts/ros_underlay.sh && echo $WM_ROS ${{SOURCED:-}}"
    result = bash(script, ROS_ROOT_FOLDER=str(checkout / "opt"), **variables)
    sourced_now = "" if "AMENT_PREFIX_PATH" in variables or chosen == "wheels" else f" {chosen}"
    assert result.stdout == f"{chosen}{sourced_now}\n", result.stderr


@pytest.mark.parametrize(
    "variables, message",
    [
        ({"WM_ROS_DISTRO": "lyrical"}, "there are wheels for jazzy and kilted only"),
        ({"WM_ROS_DISTRO": "kitled"}, "WM_ROS_DISTRO is 'kitled'"),
        ({"ROS_DISTRO": "humble"}, "there are wheels for jazzy and kilted only"),
        ({"WM_ROS_DISTRO": "kilted", "ROS_DISTRO": "jazzy", **SOURCED}, "ROS 'jazzy' is sourced"),
    ],
)
def test_a_distribution_that_cannot_be_had_is_refused_in_one_line(checkout, variables, message):
    result = bash(f"{checkout}/scripts/setup.sh drive", **variables)
    assert result.returncode == 1 and message in result.stderr and result.stderr.count("\n") == 1


def test_without_wheels_for_the_processor_the_way_by_apt_is_told_in_one_line(checkout):
    result = bash(f"uname() {{ echo aarch64; }}; export -f uname; {checkout}/scripts/setup.sh car")
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert "for x86-64 only, and this machine is aarch64: install ROS 2 by apt" in result.stderr
    (checkout / "opt/jazzy").mkdir(parents=True)
    (checkout / "opt/jazzy/setup.bash").touch()
    (checkout / "opt/jazzy/setup.sh").touch()
    underlay = f"uname() {{ echo aarch64; }}; source {checkout}/scripts/ros_underlay.sh && echo $WM_ROS"
    result = bash(underlay, ROS_ROOT_FOLDER=str(checkout / "opt"))
    assert (result.stdout, result.stderr) == ("jazzy\n", "")


@pytest.mark.parametrize(
    "variables, distro",
    [({}, "jazzy"), ({"WM_ROS_DISTRO": "kilted"}, "kilted"), ({"WM_ROS_DISTRO": "kilted", **SOURCED}, "kilted")],
)
def test_the_set_up_is_told_whose_wheels_to_install(checkout, variables, distro):
    told = checkout / "python"
    told.write_text('#!/bin/sh\n[ "$1" = -m ] && echo $WM_ROS $WM_WHEELS; exit 0\n')
    told.chmod(0o755)
    result = bash(f"{checkout}/scripts/setup.sh drive", PYTHON=str(told), **variables)
    assert result.stdout == f"wheels {distro}\n", result.stderr


def test_wheels_of_one_distribution_do_not_stay_beside_those_of_another(tmp_path, monkeypatch):
    site_packages = tmp_path / ".venv/lib/python3.11/site-packages"
    monkeypatch.setattr(virtualenv, "_is_usable", lambda venv, ros: True)
    monkeypatch.setattr(virtualenv, "run_logged", lambda command, *_, **__: shutil.rmtree(command[-1]))
    stamps = Stamps(tmp_path)
    (tmp_path / "requirements").mkdir()
    for distro, version in (("jazzy", "7.1.6"), ("kilted", "9.1.2")):
        (tmp_path / f"requirements/ros-wheels-{distro}.txt").write_text(f"# {distro}\nros-rclpy=={version}\n")
    for version, stays in (("7.1.6", True), ("9.1.2", False)):
        (site_packages / f"ros_rclpy-{version}.dist-info").mkdir(parents=True)
        stamps.set_done("packages-car", "key")
        virtualenv.ensure(tmp_path, "wheels", ("ros-wheels-jazzy",), stamps)
        assert (tmp_path / ".venv").exists() == stays
        assert stamps.is_done("packages-car", "key") == stays  # else nothing would be installed into the new one
        shutil.rmtree(tmp_path / ".venv", ignore_errors=True)


def test_env_says_that_set_up_has_not_been_run(checkout):
    result = bash(f"source {checkout}/env.sh")
    assert result.returncode == 1
    assert result.stderr == (
        f"error: set-up has not been run in {checkout}: run 'make -C {checkout} setup', then source env.sh again\n"
    )


def test_env_puts_the_wheels_and_the_lite_ros2_in_use(checkout):
    look_set_up(checkout)
    result = bash(
        f"set -eu; source {checkout}/env.sh; source {checkout}/env.sh; command -v ros2; echo $AMENT_PREFIX_PATH;"
        'echo $ROS_AUTOMATIC_DISCOVERY_RANGE "$BUILT" $_ROS_WHEELS_BOOTSTRAP_COMPLETE;'
        "echo $LD_LIBRARY_PATH; echo $PATH",
        BUILT="",
    )
    venv = checkout / ".venv"
    assert result.stdout.splitlines() == [
        f"{checkout}/tools/ros2_lite/ros2",
        str(venv),
        "LOCALHOST  yes 1",
        f"{venv}/lib:{venv}/lib/python3.11/site-packages/ros_rclpy.libs",
        f"{venv}/bin:{checkout}/tools/ros2_lite:/usr/local/bin:/usr/bin:/bin",
    ], result.stderr


@pytest.mark.parametrize(
    "distro, variable",
    [("humble", "ROS_LOCALHOST_ONLY=1")]
    + [(name, "ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST") for name in ("jazzy", "kilted", "lyrical")],
)
def test_env_uses_a_real_ros_and_adds_nothing_of_the_wheels_to_it(checkout, distro, variable):
    look_set_up(checkout)
    ros = checkout / "opt" / distro
    (ros / "bin").mkdir(parents=True)
    (ros / "bin/ros2").touch(mode=0o755)
    lines = [f"export AMENT_PREFIX_PATH={ros}", f"export ROS_DISTRO={distro}", f"export PATH={ros}/bin:$PATH"]
    for shell in ("sh", "bash"):
        (ros / f"setup.{shell}").write_text("\n".join(['test -z "$ROS_NEVER_SET"', *lines, ""]))
    result = bash(
        f"set -u; source {checkout}/env.sh && command -v ros2 && env", ROS_ROOT_FOLDER=str(checkout / "opt"), BUILT=""
    )
    found = result.stdout.splitlines()
    assert found[0] == f"{ros}/bin/ros2", result.stderr
    assert {f"AMENT_PREFIX_PATH={ros}", variable, f"WM_ROS={distro}"} <= set(found)
    assert not any("ros2_lite" in line or line.startswith("LD_LIBRARY_PATH") for line in found)


def test_a_step_is_done_again_only_for_another_key_or_after_an_interruption(tmp_path):
    stamps = Stamps(tmp_path)
    with stamps.doing("step", "key", "a step"):
        assert stamps.was_interrupted("step")  # what a killed set-up would leave
    assert stamps.is_done("step", "key") and not stamps.is_done("step", "other")
    assert not stamps.was_interrupted("step")
    with pytest.raises(SetUpError), stamps.doing("step", "other", "a step that fails"):
        raise SetUpError("no network")
    assert not stamps.is_done("step", "key") and not stamps.was_interrupted("step")
    with pytest.raises(KeyboardInterrupt), stamps.doing("step", "key", "a step that is stopped"):
        raise KeyboardInterrupt
    assert not stamps.is_done("step", "key") and stamps.was_interrupted("step")


def test_a_failed_command_shows_its_last_lines(tmp_path):
    with pytest.raises(SetUpError, match=r"failed \(3\)(.|\n)*\nline 29\nline 30\n"):
        run_logged(["sh", "-c", "seq -f 'line %g' 30; exit 3"], tmp_path / "log", 10.0)
    with pytest.raises(SetUpError, match="timed out after 0 s"):
        run_logged(["sleep", "5"], tmp_path / "log", 0.1)


def test_an_error_beside_a_command_ends_it(tmp_path):
    with pytest.raises(KeyboardInterrupt), running(["sleep", "50"], tmp_path / "log", 60.0):
        raise KeyboardInterrupt


def test_packages_that_fail_beside_the_build_do_not_undo_it(tmp_path, monkeypatch):
    stamps = Stamps(tmp_path)
    stamps.set_done("venv", "key")
    (tmp_path / "ros2_ws").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").symlink_to("/bin/true")  # for colcon
    with pytest.raises(SetUpError, match="no network"), workspace.building(tmp_path, "wheels", tmp_path, stamps):
        raise SetUpError("no network")
    assert (tmp_path / "workspace.done").is_file() and not stamps.was_interrupted("workspace")
    with pytest.raises(KeyboardInterrupt), workspace.building(tmp_path, "wheels", tmp_path, stamps):
        raise KeyboardInterrupt
    assert not (tmp_path / "workspace.done").is_file() and stamps.was_interrupted("workspace")


def test_half_installed_packages_are_forgotten_and_whole_ones_kept(tmp_path):
    site_packages = tmp_path / "lib/python3.11/site-packages"
    for name, files in {"whole": ["whole.py"], "half": ["half.py", "gone.py"]}.items():
        record = site_packages / f"{name}-1.0.dist-info"
        record.mkdir(parents=True)
        (record / "RECORD").write_text("".join(f"{file},sha256=0,1\n" for file in files) + "cache.pyc,,\n")
        (site_packages / files[0]).touch()
    (site_packages / "~alf-0.9.dist-info").mkdir()  # half removed by pip
    (site_packages / "bare-1.0.dist-info").mkdir()  # killed before its RECORD was written
    packages.remove_half_installed(tmp_path)
    assert [path.name for path in site_packages.glob("*.dist-info")] == ["whole-1.0.dist-info"]


def test_the_wheels_cmake_files_get_this_machine_s_folders_once(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "bin/python").chmod(0o755)
    file = tmp_path / "share/x/cmake/xExport.cmake"
    file.parent.mkdir(parents=True)
    cp = "/opt/python/cp312-cp312"
    file.write_text(f'"{cp}/include/python3.12;{cp}/lib/python3.12/site-packages/numpy/_core/include"')
    packages.repair_cmake_files(tmp_path)
    first = file.read_text()
    include, numpy_include = first.strip('"').split(";")
    assert Path(include, "Python.h").is_file() and Path(numpy_include, "numpy/arrayobject.h").is_file()
    packages.repair_cmake_files(tmp_path)
    assert file.read_text() == first


def test_a_real_carla_msgs_is_told_from_ours(tmp_path):
    for name in ("ours", "real"):
        manifest = tmp_path / name / "share/carla_msgs/package.xml"
        manifest.parent.mkdir(parents=True)
        manifest.write_text((ROOT / "ros2_ws/src/carla_msgs/package.xml").read_text())
    manifest.write_text(manifest.read_text().replace("team@wm-drive.dev", "someone@carla.org"))
    path = os.pathsep.join([str(tmp_path / "empty"), str(tmp_path / "ours")])
    assert workspace.find_real_carla_msgs(path) is None
    assert workspace.find_real_carla_msgs(f"{path}:{tmp_path / 'real'}") == tmp_path / "real"


def test_the_build_depends_on_messages_and_data_files_but_not_on_python_modules(tmp_path):
    package = tmp_path / "ros2_ws/src/toy"
    (package / "msg").mkdir(parents=True)
    (package / "msg/A.msg").write_text("int32 a")
    (package / "setup.py").write_text("")
    before = workspace.source_parts(tmp_path)
    (package / "toy.py").write_text("changed = True")
    assert workspace.source_parts(tmp_path) == before
    (package / "msg/A.msg").write_text("int64 a")
    with_other_message = workspace.source_parts(tmp_path)
    assert with_other_message != before
    (tmp_path / "launch").mkdir()
    (tmp_path / "launch/new.launch.py").touch()
    assert workspace.source_parts(tmp_path) != with_other_message


def test_every_requirement_is_pinned():
    files = sorted((ROOT / "requirements").glob("*.txt"))
    assert len(files) == 12
    for file in files:
        for line in file.read_text().splitlines():
            assert not line or line.startswith("#") or "==" in line.partition(";")[0], f"{file.name}: {line}"
    names = {
        line.partition("==")[0].lower()
        for name in packages.PURPOSES["drive"]
        for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines()
    }
    assert "onnxruntime" in names and "torch" not in names


def test_the_pins_for_driving_leave_nothing_to_be_found_out():
    layers = [*packages.base_layers("wheels", "jazzy"), *packages.PURPOSES["drive"]]
    lines = [line for name in layers for line in (ROOT / f"requirements/{name}.txt").read_text().splitlines()]
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pinned = {canonicalize_name(pin.name) for pin in pins if not pin.marker or pin.marker.evaluate()}
    for name in pinned:
        for needed in map(Requirement, importlib.metadata.requires(name) or []):
            if not needed.marker or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in pinned, f"{name} needs {needed}, which is not pinned"


def test_each_distribution_has_wheels_of_its_own_for_the_same_purpose():
    pins = {}
    for distro in ("jazzy", "kilted"):
        _, name = packages.base_layers("wheels", distro)
        lines = (ROOT / f"requirements/{name}.txt").read_text().splitlines()
        pins[distro] = dict(line.split("==") for line in lines if not line.startswith("#"))
    for package in ("rclpy", "rmw-fastrtps-cpp", "common-interfaces", "rosidl-default-generators", "ament-cmake"):
        assert pins["jazzy"][f"ros-{package}"] != pins["kilted"][f"ros-{package}"]
    assert packages.base_layers("humble", "") == ("ros-installed",)

"""What the Docker files name exists, and their entry point runs; no image is built here."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from wm_bundle import lock_step
from wm_planner.config import PlannerConfig
from wm_planner.launching.simulators import node_parameters

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*Dockerfile"))
COMPOSE = (DOCKER / "compose.yaml").read_text()


def instructions(dockerfile: Path) -> list[list[str]]:
    """Words of each instruction, lines put together and comments left out."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [line.split() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_everything_copied_exists_and_is_not_ignored(dockerfile):
    ignored = (DOCKER / f"{dockerfile.name}.dockerignore").read_text().split("\n")
    copied = [
        word
        for words in instructions(dockerfile)
        if words[0] == "COPY" and "--from=build" not in words
        for word in words[1:-1]
    ]
    assert {"requirements", "scripts", "ros2_ws", "launch", "config", "models", "env.sh", "docker"} <= set(copied)
    for path in copied:
        assert (ROOT / path).exists() and path not in ignored
    # What the packages install through links must be there too.
    for link in (path for path in (ROOT / "ros2_ws/src").glob("*/*") if path.is_symlink()):
        assert link.resolve().relative_to(ROOT).parts[0] in copied


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_an_image_does_not_run_as_root_and_begins_with_the_entry_point(dockerfile):
    words = instructions(dockerfile)
    assert [entry[1] for entry in words if entry[0] == "USER"][-1] == "1001"
    (entry_point,) = (" ".join(entry[1:]) for entry in words if entry[0] == "ENTRYPOINT")
    assert entry_point == '["/wm-drive/docker/entrypoint.sh"]'


def test_both_stages_of_the_driving_image_have_the_ros_that_was_asked_for():
    words = instructions(DOCKER / "Dockerfile")
    assert words[0] == ["ARG", "ROS_DISTRO=jazzy"]
    assert [entry[1] for entry in words if entry[0] == "FROM"] == [
        "ros:${ROS_DISTRO}-ros-base",
        "ros:${ROS_DISTRO}-ros-core",
    ]


def test_the_entry_point_sets_ros_up_and_becomes_the_command():
    script = "command -v ros2 && python -c 'import rclpy, wm_planner, carla_msgs.msg' && echo $# $0 && exit 7"
    command = [str(DOCKER / "entrypoint.sh"), "bash", "-c", script, "name", "a b"]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "HOME": "/tmp"}, cwd="/", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[-1] == "1 name"  # words with spaces stay whole


def test_the_compose_file_names_what_exists():
    compose = yaml.safe_load(COMPOSE)
    services = compose["services"]
    assert set(services) == {"server", "bridge", "car", "planner"}
    build = services["planner"]["build"]
    assert (DOCKER / build["context"] / build["dockerfile"]).is_file()
    mounts = [volume for service in services.values() for volume in service.get("volumes", ())]
    sources = [volume.partition(":")[0] for volume in mounts if not volume.startswith("$")]
    assert sources and all((DOCKER / source).is_file() for source in sources)
    # The bridge sends the pictures; shared memory goes between processes of one user, and the bridge's is root.
    assert "../config/fastdds_pictures.xml:/pictures.xml:ro" in services["bridge"]["volumes"]
    assert "_DEFAULT_PROFILES_FILE=/pictures.xml" in services["bridge"]["command"][-1]
    assert services["planner"]["user"] == "root"
    for service in services.values():
        assert set(service.get("depends_on", {})) <= set(services)
    for name in ("bridge", "car", "planner"):  # nodes of one graph
        assert services[name]["ipc"] == services[name]["network_mode"] == "host"
        assert services[name]["environment"] == services["bridge"]["environment"]


def test_the_bridge_of_the_compose_file_is_told_its_car_as_a_list():
    # As one text, its launch file's default, names match within it, that of a vehicle without a role too.
    words = shlex.split(yaml.safe_load(COMPOSE)["services"]["bridge"]["command"][-1])
    (names,) = (word.partition(":=")[2] for word in words if word.startswith("ego_vehicle_role_name:="))
    (car,) = json.loads((ROOT / "launch/carla_spawn.json").read_text())["objects"]
    assert yaml.safe_load(names) == [car["id"]]


def test_every_variable_of_the_compose_file_is_in_the_example():
    used = set(re.findall(r"\$\{(\w+)", COMPOSE))
    given = dict(
        line.split("=", 1)
        for line in (DOCKER / "example.env").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert used == set(given)
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE):
        assert given[name] == default


def test_the_planner_of_the_compose_file_gets_arguments_that_its_launch_file_has():
    words = yaml.safe_load(COMPOSE)["services"]["planner"]["command"]
    assert words[:4] == ["ros2", "launch", "wm_planner", "carla_sim.launch.py"]
    command = [str(DOCKER / "entrypoint.sh"), *words[:4], "--show-args"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    for word in words[4:]:
        assert f"'{word.partition(':=')[0]}':" in shown, shlex.join(words)
    parameters = node_parameters("none", "ego_vehicle", str(DOCKER / "carla.yaml"))
    PlannerConfig.from_values(parameters["wm_planner"])
    watching = {**lock_step.watchdog_parameters(0.08), "timeout_s": pytest.approx(0.28)}  # the launch file's tick
    assert {name: parameters["wm_command_watchdog"][name] for name in watching} == watching
    assert lock_step.planner_parameters(lock_step.BRIDGE_WAIT_S).items() <= parameters["wm_planner"].items()

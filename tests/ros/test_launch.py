"""The launch files over a real graph: simulator, planner and command watchdog, or simulator and recorder."""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import graph
import numpy as np
import pytest
from timing import limit_s
from tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


def launch(file: str, *arguments: str) -> graph.GraphProcess:
    command = [shutil.which("ros2"), "launch", "wm_planner", file, *arguments]
    return graph.GraphProcess(command, domain_id=graph.fresh_domain_id())


def pids_in(output: str) -> list[int]:
    return [int(pid) for pid in re.findall(r"process started with pid \[(\d+)\]", output)]


def assert_gone(pids: list[int], expected: int = 3) -> None:
    assert len(pids) == expected
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_embedded_drives_its_episodes_and_ends_by_itself(bundle):
    # As fast as the planner can: every tick waits for its command, so a tick without one would take a second.
    with launch(
        "carla_sim.launch.py", f"bundle:={bundle}", "episodes:=2", "seed:=7", "real_time_factor:=0", "solver:=mppi"
    ) as process:
        assert process.wait(120) == 0, process.output()
        output = process.output()
    assert "episode 1: seed 7," in output
    assert re.search(r"bundle tiny-test: mppi", output), output
    assert "no command for" not in output  # the watchdog leaves a simulator alone that waits, also between two episodes
    assert_gone(pids_in(output))


@pytest.mark.parametrize("output", ["ackermann", "twist"])
def test_embedded_is_driven_by_other_messages_and_the_watchdog_knows_them(bundle, output):
    given = (f"bundle:={bundle}", "episodes:=1", "real_time_factor:=0", f"command_output:={output}")
    with launch("carla_sim.launch.py", *given) as process:
        assert process.wait(120) == 0, process.output()
        output = process.output()
    assert "episode 1: seed 2000," in output
    assert "wm_command_watchdog]: watching: " in output and "no command for" not in output
    assert_gone(pids_in(output))


def test_a_planner_that_cannot_start_fails_the_launch(bundle):
    with launch("carla_sim.launch.py", f"bundle:={bundle}", "parameters:=provider=tensorrt") as process:
        assert process.wait(60) not in (0, None)
        output = process.output()
    assert "the planner ended with exit code" in output
    assert "Traceback" not in output
    assert_gone(pids_in(output))


@pytest.mark.parametrize(
    "file, arguments, message",
    [
        ("carla_sim.launch.py", ("bundle:=/none",), "the planner would refuse: no bundle at /none"),
        ("carla_sim.launch.py", ("parameters:=risk=1 candidates=8",), "parameter candidates: expected at least 16"),
        ("carla_sim.launch.py", ("proposal_policy:=/none.onnx",), "/none.onnx"),
        (
            "carla_sim.launch.py",
            ("fixed_delta_seconds:=0.04",),
            "fixed_delta_seconds:=0.04: expected the control period",
        ),
        (
            "carla_sim.launch.py",
            ("role_name:=123E5",),
            "role_name: expected a ROS name (a letter, then letters, digits and _), found '123E5'",
        ),
        (
            "carla_sim.launch.py",
            ("command_output:=autoware",),
            "the planner would refuse: parameter command_output autoware: expected the message autoware_control_msgs",
        ),
        (
            "carla_sim.launch.py",
            ("simulator:=carla_native", "command_output:=ackermann", "bundle:=models/carracing"),
            "the planner would refuse: parameter max_speed: expected the vehicle's largest speed",
        ),
        (
            "carla_sim.launch.py",
            ("simulator:=carla", "command_output:=twist", "parameters:=max_speed=9 wheelbase=3"),
            "CARLA's bridge waits for a CarlaEgoVehicleControl in every tick",
        ),
        ("collect.launch.py", ("driver:=planner", "bundle:=/none"), "the planner would refuse: no bundle at /none"),
        ("bag_replay.launch.py", ("bag:=/none.mcap",), "bag:=/none.mcap does not exist, expected a bag's folder"),
        ("bag_replay.launch.py", ("bag:=drive.mcap", "bundle:=/none"), "the planner would refuse: no bundle at /none"),
    ],
)
def test_what_the_planner_would_refuse_is_told_before_anything_starts(file, arguments, message):
    with launch(file, *arguments) as process:
        assert process.wait(60) not in (0, None)
        output = process.output()
    assert message in output
    assert "process started" not in output and "Traceback" not in output


@pytest.mark.parametrize("part", ["planner", "bridge", "command_watchdog"])
def test_a_part_that_is_killed_fails_the_launch_and_ends_the_others(bundle, part):
    with launch("carla_sim.launch.py", f"bundle:={bundle}") as process:
        output = process.wait_for_output("driving", 60)
        pid = int(re.search(rf"\[{part}-\d\]: process started with pid \[(\d+)\]", output).group(1))
        os.kill(pid, signal.SIGKILL)
        assert process.wait(30) not in (0, None)
        output = process.output()
    name = {"planner": "planner", "bridge": "simulator", "command_watchdog": "command watchdog"}[part]
    assert f"the {name} ended with exit code -9" in output
    assert_gone(pids_in(output))


def test_ctrl_c_ends_all(bundle):
    with launch("carla_sim.launch.py", f"bundle:={bundle}") as process:
        process.wait_for_output("driving", 60)
        begin = time.monotonic()
        process.stop(15)
        assert time.monotonic() - begin < limit_s(5.0), "no child may need more than SIGINT"
        assert_gone(pids_in(process.output()))


@pytest.mark.parametrize(
    "argument, message",
    [
        ("seed:=x", "seed:=x: expected a value of type int"),
        ("simulator:=other", "other"),
        ("command_watchdog:=maybe", "maybe"),
        ("simulator:=carla", "needs the CARLA ROS bridge"),
    ],
)
def test_bad_arguments_get_one_message(argument, message):
    with launch("carla_sim.launch.py", argument) as process:
        assert process.wait(30) not in (0, None)
        output = process.output()
    assert message in output
    assert "Traceback" not in output


def test_collect_records_episodes_and_ends_by_itself(tmp_path):
    folder = tmp_path / "episodes"
    with launch(
        "collect.launch.py", "episodes:=2", "episode_length:=20", f"output_dir:={folder}", "seed:=5"
    ) as process:
        assert process.wait(120) == 0, process.output()
        output = process.output()
    assert_gone(pids_in(output), expected=2)  # no planner to watch
    episodes = sorted(folder.glob("*.npz"))
    assert len(episodes) == 2
    for file in episodes:
        with np.load(file, allow_pickle=False) as episode:
            assert episode["actions"].shape == (20, 3)
            assert episode["observations"].shape[0] == 20

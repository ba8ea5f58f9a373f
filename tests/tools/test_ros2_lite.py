"""tools/ros2_lite: what it runs, what it refuses, and that nothing it started outlives it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools/ros2_lite"
# Runs the same program with short deadlines, so that the stubborn need not be waited for.
QUICK = (
    f"import sys; sys.path.insert(0, {str(TOOL / 'lib')!r})\n"
    "from ros2_lite import child, cli\n"
    "child.SIGTERM_AFTER_S = child.SIGKILL_AFTER_S = 0.4\n"
    "sys.exit(cli.main(sys.argv[1:]))\n"
)
# Is interrupted when a process runs already and the launch does not know it yet.
INTERRUPTED_START = """
import asyncio, signal
from ros2_lite import child, cli

start = child.Child.start

async def interrupted(self):
    await start(self)
    await asyncio.sleep(0.5)
    signal.raise_signal(signal.SIGINT)
    await asyncio.sleep(0.2)

child.Child.start = interrupted
sys.exit(cli.main(sys.argv[1:]))
"""
HEADER = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
"""
SLEEPER = """
import os, signal, subprocess, sys, time
grandchild = subprocess.Popen(["sleep", "60"])
for number in (signal.SIGINT, signal.SIGTERM):
    def handler(number, frame):
        print("got", signal.Signals(number).name)
        if "stubborn" not in sys.argv:
            sys.exit(0)
    signal.signal(number, handler)
print("pids", os.getpid(), grandchild.pid)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def package(tmp_path):
    """A folder that the ament index knows as a prefix with the package 'toy'."""
    (tmp_path / "share/ament_index/resource_index/packages").mkdir(parents=True)
    (tmp_path / "share/ament_index/resource_index/packages/toy").touch()
    (tmp_path / "share/toy/launch").mkdir(parents=True)
    (tmp_path / "lib/toy").mkdir(parents=True)
    add_executable(tmp_path, "sleeper", SLEEPER)
    talk = "import sys; print('said', *sys.argv[1:], flush=True); sys.stderr.write('half a line')"
    add_executable(tmp_path, "talk", talk)
    add_executable(tmp_path, "fail", "import sys; sys.exit(int(sys.argv[1]))")
    return tmp_path


def add_executable(prefix: Path, name: str, code: str) -> None:
    path = prefix / "lib/toy" / name
    path.write_text(f"#!{sys.executable}\n{code}")
    path.chmod(0o755)


def add_launch_file(prefix: Path, body: str, name: str = "toy.launch.py", header: str = HEADER) -> Path:
    """Writes a launch file whose description is `body`, a list of actions."""
    path = prefix / "share/toy/launch" / name
    path.write_text(f"{header}\ndef generate_launch_description():\n    return LaunchDescription({body})\n")
    return path


def begin(prefix: Path, *arguments: str, quick: bool = False) -> subprocess.Popen:
    command = [sys.executable, "-c", QUICK] if quick else [str(TOOL / "ros2")]
    return subprocess.Popen(
        [*command, *arguments],
        env={**os.environ, "AMENT_PREFIX_PATH": str(prefix)},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def ros2(prefix: Path, *arguments: str) -> tuple[int, str]:
    """Runs it to its end: exit code and output."""
    process = begin(prefix, *arguments)
    output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output, output
    return process.returncode, output


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # dead, and its new parent has not noticed yet


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 5.0
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"processes {alive} of {pids} are still there"
        time.sleep(0.02)


def pids_in(process: subprocess.Popen) -> list[int]:
    """Reads the output until a sleeper has told its process id and that of its own child."""
    for line in process.stdout:
        if found := re.search(r"pids (\d+) (\d+)", line):
            return [int(pid) for pid in found.groups()]
    raise AssertionError("the sleeper did not start")


def test_run_becomes_the_executable(package):
    assert ros2(package, "run", "toy", "talk", "--seed", "3") == (0, "said --seed 3\nhalf a line")
    assert ros2(package, "run", "toy", "fail", "7") == (7, "")


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["run", "tyo", "talk"], "package 'tyo' not found; did you mean toy?"),
        (["run", "toy", "tlak"], "no executable 'tlak'; did you mean talk?"),
        (["launch", "toy", "toys.launch.py"], "no launch file 'toys.launch.py'; did you mean toy.launch.py?"),
        (["launch", "toy"], "'toy' is not a launch file; name one after the package"),
        (["launch", "toy", "toy.launch.py", "cuont:=1"], "unknown launch argument 'cuont'; did you mean count?"),
        (["launch", "toy", "toy.launch.py", "count=1"], "malformed launch argument 'count=1': expected name:=value"),
        (["launch", "toy", "toy.launch.py", "count:=3"], "count:=3: expected one of 1, 2"),
        (["topic", "list"], "ros2 topic is not supported by ros2_lite"),
    ],
)
def test_wrong_names_get_one_clear_message(package, arguments, expected):
    add_launch_file(package, "[DeclareLaunchArgument('count', default_value='1', choices=['1', '2'])]")
    code, output = ros2(package, *arguments)
    assert code != 0
    assert expected in output


def test_outside_of_a_set_up_shell_it_says_what_to_source():
    code, output = ros2(Path(), "run", "toy", "talk")
    assert (code, "source env.sh" in output) == (1, True)


@pytest.mark.parametrize(
    "header, body, what",
    [
        (HEADER + "from launch.actions import TimerAction", "[]", "launch.actions.TimerAction"),
        (HEADER + "from launch.conditions import IfCondition", "[]", "launch.conditions"),
        (HEADER + "import launch", "[launch.LaunchService()]", "launch.LaunchService"),
        (HEADER + "from launch_ros.actions import PushRosNamespace", "[]", "launch_ros.actions.PushRosNamespace"),
        (HEADER, "[Node(package='toy', executable='talk', respawn=True)]", "Node(respawn=)"),
        (HEADER, "[Node(package='toy', executable='talk', parameters=[3])]", "a parameter entry of type int"),
    ],
)
def test_refuses_the_parts_of_launch_that_it_does_not_have(package, header, body, what):
    add_launch_file(package, body, header=header)
    code, output = ros2(package, "launch", "toy", "toy.launch.py")
    assert code == 1
    assert f"{what}" in output and "not supported by ros2_lite" in output and "install ROS 2" in output


def test_a_launch_file_that_is_wrong_is_named_with_the_line(package):
    path = add_launch_file(package, "[undefined]")
    code, output = ros2(package, "launch", str(path))
    assert code == 1
    assert f"NameError: name 'undefined' is not defined ({path}:8)" in output


def test_show_args_lists_names_texts_and_defaults(package):
    add_launch_file(package, "[DeclareLaunchArgument('count', default_value='2', description='How many.')]")
    code, output = ros2(package, "launch", "toy", "toy.launch.py", "--show-args")
    assert code == 0
    assert "'count':\n        How many.\n        (default: '2')" in output


def test_arguments_reach_the_processes_and_output_is_prefixed(package):
    body = """[
        DeclareLaunchArgument("count", default_value="2"),
        OpaqueFunction(function=lambda context: [
            Node(package="toy", executable="talk", arguments=[LaunchConfiguration("count").perform(context)],
                 parameters=[{"seed": 1, "bundle": "007"}]),
            ExecuteProcess(cmd=["echo", "one\\ntwo"], name="echo"),
            Node(package="toy", executable="talk", prefix="env", exec_name="chat"),
        ]),
    ]"""
    path = add_launch_file(package, body)
    code, output = ros2(package, "launch", str(path), "count:=5")
    assert code == 0
    said = re.search(r"^\[talk-1\] said 5 --ros-args --params-file (\S+)$", output, re.MULTILINE)
    assert said and not Path(said.group(1)).exists()  # the file of parameters goes when the node does
    for line in ("[talk-1] half a line", "[echo-2] one", "[echo-2] two", "[chat-3] half a line"):
        assert line in output.splitlines()
    assert "[talk-1] said 2" in ros2(package, "launch", str(path))[1]


def test_parameters_keep_their_types(package):
    add_executable(package, "show", "import sys; print(open(sys.argv[-1]).read())")
    body = "[Node(package='toy', executable='show', parameters=[{'a': 1, 'b': True, 'c': '007', 'd': 0.5}])]"
    code, output = ros2(package, "launch", str(add_launch_file(package, body)))
    assert code == 0
    for line in ("/**:", "  ros__parameters:", "    a: 1", "    b: true", "    c: '007'", "    d: 0.5"):
        assert f"[show-1] {line}" in output.splitlines()


@pytest.mark.parametrize(
    "failing, expected",
    [
        ("Node(package='toy', executable='fail', arguments=['7'], on_exit=Shutdown(reason='over'))", 7),
        ("ExecuteProcess(cmd=['sh', '-c', 'kill -KILL $$'], on_exit=[Shutdown()])", 128 + 9),
        ("Node(package='toy', executable='fail', arguments=['0'], on_exit=lambda event, context: 1 / 0)", 1),
        ("ExecuteProcess(cmd=['/does/not/exist'])", 1),
    ],
)
def test_the_failed_child_s_exit_code_is_returned_and_the_others_are_ended(package, failing, expected):
    # The sleeper has told its process ids before the failing one starts.
    body = f"[Node(package='toy', executable='sleeper'), ExecuteProcess(cmd=['sleep', '1'], on_exit=[{failing}])]"
    process = begin(package, "launch", str(add_launch_file(package, body)))
    pids = pids_in(process)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == expected, output
    assert "[sleeper-1] got SIGINT" in output
    wait_until_gone(pids)


def test_a_failure_that_its_handler_allows_for_fails_nothing(package):
    failing = "Node(package='toy', executable='fail', arguments=['3'], on_exit=lambda event, context: None)"
    body = f"[{failing}, Node(package='toy', executable='talk')]"
    code, output = ros2(package, "launch", str(add_launch_file(package, body)))
    assert code == 0
    assert "exit code 3" in output and "[talk-2] said --ros-args" in output


def test_a_failure_without_a_handler_is_returned_when_all_have_ended(package):
    body = "[Node(package='toy', executable='fail', arguments=['3']), Node(package='toy', executable='talk')]"
    code, output = ros2(package, "launch", str(add_launch_file(package, body)))
    assert code == 3
    assert "[talk-2] said --ros-args" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_children_and_grandchildren(package, number):
    body = "[LifecycleNode(package='toy', executable='sleeper', name='toy', namespace='')]"
    process = begin(package, "launch", str(add_launch_file(package, body)))
    pids = pids_in(process)
    process.send_signal(number)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 128 + number
    assert "[sleeper-1] got SIGINT" in output and "got SIGTERM" not in output
    wait_until_gone(pids)


def test_a_stubborn_child_gets_sigterm_then_sigkill(package):
    body = "[Node(package='toy', executable='sleeper', arguments=['stubborn'])]"
    process = begin(package, "launch", str(add_launch_file(package, body)), quick=True)
    pids = pids_in(process)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    steps = ["got SIGINT", "sending SIGTERM", "got SIGTERM", "sending SIGKILL", f"[pid {pids[0]}, exit code -9]"]
    assert [output.index(step) for step in steps] == sorted(output.index(step) for step in steps)
    wait_until_gone(pids)


def test_a_killed_launch_takes_its_children_along(package):
    process = begin(package, "launch", str(add_launch_file(package, "[Node(package='toy', executable='sleeper')]")))
    pids = pids_in(process)
    process.kill()
    process.communicate(timeout=30)
    wait_until_gone(pids[:1])  # the kernel tells the child only; its own children are its own affair
    os.kill(pids[1], signal.SIGKILL)


def test_a_process_that_starts_while_the_launch_ends_is_ended_too(package):
    code = f"import sys; sys.path.insert(0, {str(TOOL / 'lib')!r})\n" + INTERRUPTED_START
    file = add_launch_file(package, "[Node(package='toy', executable='sleeper')]")
    environment = {**os.environ, "AMENT_PREFIX_PATH": str(package)}
    done = subprocess.run(
        [sys.executable, "-c", code, "launch", file], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 128 + signal.SIGINT, done.stdout + done.stderr
    assert "[sleeper-1] got SIGINT" in done.stdout


def test_ends_when_nobody_reads_its_output(package):
    body = "[Node(package='toy', executable='sleeper'), ExecuteProcess(cmd=['yes'])]"
    process = begin(package, "launch", str(add_launch_file(package, body)))
    pids = pids_in(process)
    process.stdout.close()
    process.wait(timeout=120)
    wait_until_gone(pids)

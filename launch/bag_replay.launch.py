"""Plays a bag through the running planner, measures what only that can show, and ends by itself with a report.

    ros2 launch wm_planner bag_replay.launch.py bag:=drive.mcap rate:=1.0 output:=out/replay
    ros2 launch wm_planner bag_replay.launch.py bag:=drive.mcap threshold:="dropped<1 latency_ms.p99<60"

Exit code 0; 1 if a threshold fails; another (under a real ROS 2 also 1) if a part fails. docs/replay.md.
"""

import shlex
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch_ros.actions import Node
from wm_planner.launching.arguments import check_planner, declared, value
from wm_planner.launching.nodes import planner, unexpected_end
from wm_planner.launching.view import view, view_arguments
from wm_tools.replay import launch as replay

from launch import LaunchDescription


def generate_launch_description():
    models = Path(get_package_share_directory("wm_planner"), "models")
    arguments = [
        ("bundle", models / "carracing", "Folder of the model bundle to drive with."),
        ("output", "out/replay", "Folder for replay.json, replay.jsonl and report.html."),
        ("rate", "1.0", f"Recorded seconds in a second, {replay.SLOWEST:g} to {replay.FASTEST:g}."),
        ("role_name", "ego_vehicle", "Name of the car in the bag's topics."),
        ("parameters", "", "Planner parameters, as 'candidates=32 preprocessed_images=true'."),
        ("threshold", "", "What must hold, as 'dropped<1 latency_ms.p99<60 agreement.share>0.95'."),
        ("evaluation", "", "Folder that evaluate_bag wrote for this bag and bundle; empty: it is made."),
        ("max_gap", "60", "[s] Where nothing was recorded for longer, it is skipped; 0: nothing is."),
        ("recover", False, "Play what is left of a damaged bag, with play_bag."),
        ("clock", "0", "[Hz] Times of recording on /clock; 0: the bag's own /clock is played."),
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Bag to play: a file or folder (mcap, sqlite3, ROS 1)."),
            *declared(arguments),
            DeclareLaunchArgument(
                "player",
                default_value="auto",
                choices=["auto", "rosbag2", "own"],
                description="rosbag2: ros2 bag play; own: play_bag; auto: the first where it is installed.",
            ),
            *view_arguments(),
            OpaqueFunction(function=compose),
        ]
    )


def compose(context):
    """The actions of this run; raises RuntimeError for a value that cannot be used."""
    rate, role_name = value(context, "rate", float), value(context, "role_name")
    bundle = str(Path(value(context, "bundle")).expanduser().absolute())
    parameters = replay.planner_parameters(value(context, "parameters"), rate)
    driving = {"bundle": bundle, "role_name": role_name, **parameters}
    check_planner(driving)
    bag = Path(value(context, "bag")).expanduser().absolute()
    if not bag.exists():
        raise RuntimeError(
            f"bag:={bag} does not exist, expected a bag's folder, a .mcap, .db3 or .bag file, or a "
            f"folder that holds such"
        )
    watched = view(context, role_name)
    monitor_arguments = [
        str(bag),
        "--bundle",
        bundle,
        "--rate",
        f"{rate:g}",
        "--output",
        str(Path(value(context, "output")).expanduser().absolute()),
        "--role-name",
        role_name,
        *(["--recover"] if recovers(context) else []),
        *several("--set", shlex.split(value(context, "parameters"))),
        *several("--threshold", shlex.split(value(context, "threshold"))),
        *several(
            "--evaluation",
            [str(Path(folder).expanduser().absolute()) for folder in [value(context, "evaluation")] if folder],
        ),
    ]
    monitor = Node(
        package="wm_tools",
        executable="replay_monitor",
        output="screen",
        arguments=monitor_arguments,
        on_exit=after_monitor,
    )
    gate = Node(
        package="wm_tools",
        executable="replay_monitor",
        output="screen",
        arguments=[
            *monitor_arguments,
            "--wait-for-planner",
            *several("--refuse-gaps", [f"{value(context, 'max_gap', float):g}"] if waits(context) else []),
        ],
        on_exit=lambda event, context: after_gate(event, context, player(context, rate, parameters)),
    )
    return [planner(driving), monitor, gate, *watched]


def player(context, rate, parameters):
    """The action that plays the bag; its end is awaited by the monitor."""
    bag = str(Path(value(context, "bag")).expanduser().absolute())
    clock_hz = value(context, "clock", float)
    if value(context, "player") == "rosbag2" and recovers(context):
        raise RuntimeError("recover:=true: `ros2 bag play` cannot; use player:=own")
    renamed = replay.remaps(value(context, "role_name"), parameters)
    if waits(context):
        return ExecuteProcess(
            cmd=replay.rosbag2_command(bag, rate, renamed, clock_hz), output="screen", on_exit=after_player
        )
    return Node(
        package="wm_tools",
        executable="play_bag",
        output="screen",
        arguments=replay.own_arguments(
            bag, rate, renamed, clock_hz, recovers(context), value(context, "max_gap", float)
        ),
        on_exit=after_player,
    )


def waits(context):
    """Whether `ros2 bag play` plays, which waits for every time of recording."""
    bag, clock_hz = str(Path(value(context, "bag")).expanduser().absolute()), value(context, "clock", float)
    chosen = value(context, "player")
    return chosen == "rosbag2" or (chosen == "auto" and not recovers(context) and replay.has_rosbag2(bag, clock_hz))


def recovers(context):
    """Whether a damaged bag is to be read as far as it can be."""
    return value(context, "recover") == "true"


def after_gate(event, context, action):
    """The player, when the planner is there and the monitor listens; raises RuntimeError when they are not."""
    if event.returncode == 0 and not context.is_shutdown:
        return [action]
    return unexpected_end("wait for the planner", event, context)


def after_player(event, context):
    """Nothing at the bag's end; raises RuntimeError if it was not played."""
    return None if event.returncode == 0 else unexpected_end("player", event, context)


def after_monitor(event, context):
    """Ends the launch when the replay is judged; raises RuntimeError if a threshold or the monitor failed."""
    if context.is_shutdown:
        return None
    if event.returncode == 0:
        return [Shutdown(reason="the replay is done")]
    if event.returncode == 1:
        raise RuntimeError("a threshold does not hold; the monitor's last lines say which")
    return unexpected_end("monitor", event, context)


def several(option, values):
    """An option with its values, nothing without any."""
    return [option, *values] if values else []

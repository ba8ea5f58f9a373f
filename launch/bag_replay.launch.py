"""Plays a bag through the running planner, measures what only a live run can show, and ends with a report.

    ros2 launch wm_planner bag_replay.launch.py bag:=drive.mcap rate:=1.0 output:=out/replay
    ros2 launch wm_planner bag_replay.launch.py bag:=drive.mcap threshold:="dropped<1 latency_ms.p99<60"

Exit code 0; 1 if a threshold fails; another (1 under a real ROS 2) if a part fails. docs/replay.md.
"""

import shlex
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch_ros.actions import Node
from wm_planner.launching.arguments import check_planner, declared, value
from wm_planner.launching.nodes import planner, unexpected_end
from wm_planner.launching.transport import picture_transport
from wm_planner.launching.view import view, view_arguments
from wm_tools.replay import launch as replay

from launch import LaunchDescription


def generate_launch_description():
    models = Path(get_package_share_directory("wm_planner"), "models")
    arguments = [
        ("bundle", models / "carracing", "Folder of the model bundle to drive with."),
        ("output", "out/replay", "Folder for replay.json, replay.jsonl and report.html."),
        ("rate", "1.0", f"Recorded seconds per second, {replay.SLOWEST:g} to {replay.FASTEST:g}."),
        ("role_name", "ego_vehicle", "Name of the car in the bag's topics."),
        ("parameters", "", "Planner parameters, such as 'candidates=32 preprocessed_images=true'."),
        ("threshold", "", "What must hold, such as 'dropped<1 latency_ms.p99<60 agreement.share>0.95'."),
        ("evaluation", "", "Output folder of evaluate_bag for this bag and bundle; empty: run it."),
        ("max_gap", "60", "[s] Longer gaps in the recording are skipped; 0: none are."),
        ("recover", False, "Play what is left of a damaged bag, with play_bag."),
        ("clock", "0", "[Hz] Rate of recorded time on /clock; 0: the bag's own /clock is played."),
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Bag to play: a file or folder (mcap, sqlite3, ROS 1)."),
            *declared(arguments),
            DeclareLaunchArgument(
                "player",
                default_value="auto",
                choices=["auto", "rosbag2", "own"],
                description="rosbag2: ros2 bag play; own: play_bag; auto: rosbag2 if installed.",
            ),
            *view_arguments(),
            OpaqueFunction(function=compose),
        ]
    )


def compose(context):
    """The actions of this run; raises RuntimeError for an invalid value."""
    rate, role_name = value(context, "rate", float), value(context, "role_name")
    bundle = str(Path(value(context, "bundle")).expanduser().absolute())
    parameters = replay.planner_parameters(value(context, "parameters"), rate)
    driving = {"bundle": bundle, "role_name": role_name, **parameters}
    check_planner(driving)
    bag = Path(value(context, "bag")).expanduser().absolute()
    if not bag.exists():
        raise RuntimeError(
            f"bag:={bag} does not exist, expected a bag's folder, a .mcap, .db3 or .bag file, or a folder of these"
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
    """The action that plays the bag; the monitor detects its end."""
    bag = str(Path(value(context, "bag")).expanduser().absolute())
    clock_hz = value(context, "clock", float)
    if value(context, "player") == "rosbag2" and recovers(context):
        raise RuntimeError("recover:=true: `ros2 bag play` cannot; use player:=own")
    renamed = replay.remaps(value(context, "role_name"), parameters)
    if waits(context):
        return ExecuteProcess(
            cmd=replay.rosbag2_command(bag, rate, renamed, clock_hz),
            output="screen",
            additional_env=picture_transport(),
            on_exit=after_player,
        )
    return Node(
        package="wm_tools",
        executable="play_bag",
        output="screen",
        arguments=replay.own_arguments(
            bag, rate, renamed, clock_hz, recovers(context), value(context, "max_gap", float)
        ),
        additional_env=picture_transport(),
        on_exit=after_player,
    )


def waits(context):
    """Whether `ros2 bag play` is used, which does not skip gaps."""
    bag, clock_hz = str(Path(value(context, "bag")).expanduser().absolute()), value(context, "clock", float)
    chosen = value(context, "player")
    return chosen == "rosbag2" or (chosen == "auto" and not recovers(context) and replay.has_rosbag2(bag, clock_hz))


def recovers(context):
    """Whether to read a damaged bag as far as possible."""
    return value(context, "recover") == "true"


def after_gate(event, context, action):
    """The player, once the planner and the monitor are ready; raises RuntimeError if they are not."""
    if event.returncode == 0 and not context.is_shutdown:
        return [action]
    return unexpected_end("wait for the planner", event, context)


def after_player(event, context):
    """No actions when the bag ends; raises RuntimeError if playing failed."""
    return None if event.returncode == 0 else unexpected_end("player", event, context)


def after_monitor(event, context):
    """Ends the launch after the replay has been judged; raises RuntimeError if a threshold or the monitor failed."""
    if context.is_shutdown:
        return None
    if event.returncode == 0:
        return [Shutdown(reason="the replay is done")]
    if event.returncode == 1:
        raise RuntimeError("a threshold does not hold; the monitor's last lines say which")
    return unexpected_end("monitor", event, context)


def several(option, values):
    """An option with its values, empty without any."""
    return [option, *values] if values else []

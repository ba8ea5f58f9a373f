"""The built-in simulator and the recorder of episodes together; ends when the recorder does, with its success.

ros2 launch wm_planner collect.launch.py episodes:=100 driver:=noisy-autopilot output_dir:=data/train
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from wm_planner.launch_ends import unexpected_end
from wm_planner.launch_view import view, view_arguments

from launch import LaunchDescription

WAIT_FOR_DRIVER_S = 60.0  # how long the simulator's first tick waits for the recorder
ROLE_NAME = "ego_vehicle"  # the built-in simulator's and the recorder's default


def generate_launch_description():
    arguments = [
        ("episodes", "10", "Episodes that the folder holds in the end."),
        ("episode_length", "500", "Longest episode [rows]."),
        ("output_dir", "data/world_model/train", "Folder of the episodes."),
        ("seed", "0", "Track of the first episode; every further one takes the next number."),
    ]
    return LaunchDescription([
        DeclareLaunchArgument(
            "simulator", default_value="embedded", choices=["embedded", "none"],
            description="embedded: starts the built-in simulator; none: records from what runs already."),
        DeclareLaunchArgument(
            "driver", default_value="autopilot", choices=["autopilot", "noisy-autopilot", "random"],
            description="Who drives."),
        *(DeclareLaunchArgument(name, default_value=default, description=text) for name, default, text in arguments),
        *view_arguments(),
        OpaqueFunction(function=compose),
    ])  # fmt: skip


def compose(context):
    """The actions of this run; raises RuntimeError for a value that cannot be used."""

    def value(name):
        return LaunchConfiguration(name).perform(context)

    watched = view(context, ROLE_NAME)
    collect = ExecuteProcess(
        name="collect", output="screen",
        cmd=[
            str(Path(get_package_prefix("wm_training"), "lib", "wm_training", "collect")),
            "--episodes", value("episodes"), "--episode-length", value("episode_length"),
            "--output-dir", value("output_dir"), "--driver", value("driver"), "--seed", value("seed"),
        ],
        on_exit=after_collect)  # fmt: skip
    if value("simulator") == "none":
        return [collect, *watched]
    simulator = Node(
        package="wm_sim", executable="bridge", output="screen",
        parameters=[{
            "real_time_factor": 0.0,
            "synchronous_mode_wait_for_vehicle_control_command": True,
            "wait_for_driver": WAIT_FOR_DRIVER_S,
        }],
        on_exit=after_simulator)  # fmt: skip
    return [simulator, collect, *watched]


def after_collect(event, context):
    """Ends the launch when everything is recorded; raises RuntimeError if the recorder failed."""
    if event.returncode == 0 and not context.is_shutdown:
        return [Shutdown(reason="all episodes are recorded")]
    return unexpected_end("recorder", event, context)


def after_simulator(event, context):
    return unexpected_end("simulator", event, context)

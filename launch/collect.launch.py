"""The built-in simulator and the recorder of episodes together; ends when the recorder ends, and fails if it fails.

ros2 launch wm_planner collect.launch.py episodes:=100 driver:=noisy-autopilot output_dir:=data/train
ros2 launch wm_planner collect.launch.py episodes:=120 driver:=noisy-planner output_dir:=data/train \
    bundle:=models/carracing planner_parameters:='steer_std=0.2 trust=3'
ros2 launch wm_planner collect.launch.py objects_definition_file:=launch/wm_sim_four_cameras.json output_dir:=data/four
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch_ros.actions import Node
from wm_bundle import lock_step
from wm_planner.launching import nodes
from wm_planner.launching.arguments import assignments, check_planner, declared, value
from wm_planner.launching.embedded import embedded_arguments, embedded_parameters
from wm_planner.launching.files import parameter_file
from wm_planner.launching.nodes import unexpected_end
from wm_planner.launching.view import view, view_arguments

from launch import LaunchDescription

WAIT_FOR_DRIVER_S = 60.0  # how long the simulator's first tick waits for the recorder
ROLE_NAME = "ego_vehicle"  # default of the built-in simulator and the recorder
DRIVERS = ["autopilot", "noisy-autopilot", "planner", "noisy-planner", "random"]

DECIDED_HERE = ("bundle", "role_name", "autostart", "control_topic")  # parameters of the planner


def generate_launch_description():
    models = Path(get_package_share_directory("wm_planner"), "models")
    arguments = [
        (
            "episodes",
            "10",
            "Total number of episodes in the folder at the end, including existing ones, so "
            "that the same call continues after an interruption.",
        ),
        ("episode_length", "500", "Longest episode [rows]."),
        ("output_dir", "data/world_model/train", "Folder for the episodes."),
        ("seed", "0", "Track of the first episode; later ones use the following numbers."),
        (
            "cameras",
            "",
            "Sensor ids to record, comma-separated; empty: all of objects_definition_file, else rgb_front.",
        ),
        ("image_size", "64", "Height and width of the resized pictures [px]."),
        ("noise_every", "2.0", "Noisy drivers: mean time between bursts [s]."),
        ("noise_strength", "0.4", "Noisy drivers: mean standard deviation of a burst."),
        ("bundle", str(models / "carracing"), "Planner: folder of the model bundle to drive with."),
        ("planner_parameters", "", "Planner: its parameters, such as 'steer_std=0.2 trust=3'."),
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "simulator",
                default_value="embedded",
                choices=["embedded", "none"],
                description="embedded: starts the built-in simulator; none: records from one that is already running.",
            ),
            DeclareLaunchArgument("driver", default_value="autopilot", choices=DRIVERS, description="Who drives."),
            *declared(arguments),
            *embedded_arguments(),
            *view_arguments(),
            OpaqueFunction(function=compose),
        ]
    )


def compose(context):
    """The actions of this run; raises RuntimeError for an invalid value."""
    watched = view(context, ROLE_NAME)
    planning = [planner(context)] if plans(context) else []  # refused here, before anything starts
    simulating = [simulator(context)] if value(context, "simulator") == "embedded" else []
    return [*simulating, *planning, collect(context), *watched]


def plans(context):
    """Whether the planner drives."""
    return value(context, "driver").endswith("planner")


def collect(context):
    """The recorder; the launch ends with it."""
    flags = (
        "episodes",
        "episode_length",
        "output_dir",
        "driver",
        "seed",
        "objects_definition_file",
        "cameras",
        "image_size",
        "noise_every",
        "noise_strength",
    )
    program = Path(get_package_prefix("wm_training"), "lib", "wm_training", "collect")
    return ExecuteProcess(
        name="collect",
        output="screen",
        cmd=[
            str(program),
            "--planner-node",
            nodes.PLANNER,
            *(word for flag in flags for word in (f"--{flag.replace('_', '-')}", value(context, flag))),
        ],
        on_exit=after_collect,
    )


def planner(context):
    """The planner; its commands go to the recorder only.

    No command watchdog: simulated time stands still without commands, and its brake would count as an answer.
    """
    parameters = {
        **lock_step.planner_parameters(lock_step.EMBEDDED_WAIT_S),
        **assignments(value(context, "planner_parameters"), "planner_parameters", DECIDED_HERE),
        "bundle": str(Path(value(context, "bundle")).expanduser().absolute()),
        "role_name": ROLE_NAME,
        "control_topic": f"/carla/{ROLE_NAME}/planner/control",
    }
    check_planner(parameters)
    return nodes.planner(parameters)


def simulator(context):
    """The built-in simulator, as fast as commands arrive."""
    return Node(
        package="wm_sim",
        executable="bridge",
        output="screen",
        parameters=[
            parameter_file(
                {
                    "real_time_factor": 0.0,
                    **lock_step.simulator_parameters(waits=True),
                    "wait_for_driver": WAIT_FOR_DRIVER_S,
                    **embedded_parameters(context, ROLE_NAME, value(context, "bundle") if plans(context) else ""),
                }
            )
        ],
        on_exit=lambda event, context: unexpected_end("simulator", event, context),
    )


def after_collect(event, context):
    """Ends the launch when the folder holds all episodes; raises RuntimeError if the recorder failed."""
    if event.returncode == 0 and not context.is_shutdown:
        return [Shutdown(reason="the folder holds all requested episodes")]
    return unexpected_end("recorder", event, context)

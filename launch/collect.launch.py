"""Simulator and recorder of episodes together; ends when the recorder ends, and fails if it fails.

ros2 launch wm_planner collect.launch.py episodes:=100 driver:=noisy-autopilot output_dir:=data/train
ros2 launch wm_planner collect.launch.py episodes:=120 driver:=noisy-planner output_dir:=data/train \
    bundle:=models/carracing planner_parameters:='steer_std=0.2 trust=3'
ros2 launch wm_planner collect.launch.py objects_definition_file:=launch/wm_sim_four_cameras.json output_dir:=data/four
ros2 launch wm_planner collect.launch.py world:=town route:=recorded signals:=speed_limit,gap episode_length:=2000 \
    output_dir:=data/town
ros2 launch wm_planner collect.launch.py simulator:=carla driver:=noisy-autopilot output_dir:=data/carla
"""

from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch_ros.actions import Node
from wm_bundle import lock_step
from wm_bundle.spawn_file import cameras_of
from wm_planner.launching import nodes
from wm_planner.launching.arguments import assignments, check_planner, declared, value
from wm_planner.launching.carla import bridge_of, carla, carla_arguments, spawned_objects
from wm_planner.launching.embedded import embedded_arguments, embedded_parameters
from wm_planner.launching.files import parameter_file
from wm_planner.launching.nodes import unexpected_end
from wm_planner.launching.simulators import role_name_of
from wm_planner.launching.transport import picture_transport
from wm_planner.launching.view import view, view_arguments

from launch import LaunchDescription

WAIT_FOR_DRIVER_S = 60.0  # how long the simulator's first tick waits for the recorder
CARLA_START_S = 120.0  # longest wait of the recorder for the bridge to load the map and spawn the car
DRIVERS = ["autopilot", "noisy-autopilot", "slow-autopilot", "planner", "noisy-planner", "random"]

DECIDED_HERE = ("bundle", "role_name", "autostart", "command_output", "control_topic")  # parameters of the planner


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
        ("role_name", "", "Name of the car in its topics; empty: ego_vehicle."),
        ("fixed_delta_seconds", "0.08", "Embedded, CARLA: time between two ticks [s], the period of the rows."),
        ("image_size", "64", "Height and width of the resized pictures [px]."),
        ("noise_every", "2.0", "Noisy drivers: mean time between bursts [s]."),
        ("noise_strength", "0.4", "Noisy drivers: mean standard deviation of a burst."),
        ("slowest", "0.1", "slow-autopilot: smallest share of its usual speed."),
        ("slow_segment", "3.0", "slow-autopilot: mean time with one share [s]."),
        ("signals", "", "Vector inputs beside the speed, separated by commas: names of docs/topics.md."),
        ("signals_file", "", "YAML file with signals of your own (docs/topics.md), recorded beside the others."),
        ("signal_gaps", "", "Vector inputs that rows may lack, separated by commas."),
        ("route_noise", "0.5", "Route in hindsight: standard deviation of its shift to the side [m]."),
        (
            "signals",
            "",
            "Vector inputs to record beside the speed, comma-separated: names of docs/topics.md, such as "
            "'speed_limit,gap'.",
        ),
        ("signals_file", "", "YAML file with signals of your own, recorded too (docs/topics.md)."),
        ("signal_gaps", "", "Vector inputs that rows may lack, comma-separated: NaN there."),
        ("bundle", str(models / "carracing"), "Planner: folder of the model bundle to drive with."),
        ("planner_parameters", "", "Planner: its parameters, such as 'steer_std=0.2 trust=3'."),
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "simulator",
                default_value="embedded",
                choices=["embedded", "carla", "none"],
                description="embedded: starts the built-in simulator; carla: CARLA's ROS bridge and the car, for a "
                "running CARLA server; none: records from a simulator that is already running.",
            ),
            DeclareLaunchArgument("driver", default_value="autopilot", choices=DRIVERS, description="Who drives."),
            DeclareLaunchArgument(
                "route",
                default_value="none",
                choices=["none", "recorded", "hindsight"],
                description="Record a route's inputs: of waypoints, or of the driven path. Needs odometry.",
            ),
            *declared([*arguments, *carla_arguments()]),
            *embedded_arguments(),
            *view_arguments(),
            OpaqueFunction(function=compose),
        ]
    )


def compose(context):
    """The actions of this run; raises RuntimeError for an invalid value."""
    kind = value(context, "simulator")
    role_name = role_name_of(kind, value(context, "role_name"))
    watched = view(context, role_name)
    planning = [planner(context, role_name)] if plans(context) else []  # refused here, before anything starts
    start = {"embedded": simulator, "carla": carla_server}.get(kind, lambda context, role_name: [])
    return [*start(context, role_name), *planning, collect(context, role_name), *watched]


def plans(context):
    """Whether the planner drives."""
    return value(context, "driver").endswith("planner")


def carla_server(context, role_name):
    """CARLA's ROS bridge and the car."""
    bundle = value(context, "bundle") if plans(context) else ""
    return carla(bridge_of(context, role_name, paced=True), value(context, "spawn"), bundle)


def recorded_cameras(context, role_name):
    """What tells the recorder the cameras; also how long CARLA may take to start them."""
    cameras = value(context, "cameras")
    if value(context, "simulator") != "carla":
        return ["--objects-definition-file", value(context, "objects_definition_file"), "--cameras", cameras]
    objects = spawned_objects(bridge_of(context, role_name), value(context, "spawn"), "")
    car = next(entry for entry in objects if entry["id"] == role_name)
    return ["--cameras", cameras or ",".join(cameras_of(car)), "--timeout", str(CARLA_START_S)]


def collect(context, role_name):
    """The recorder; the launch ends with it."""
    flags = (
        "episodes",
        "episode_length",
        "output_dir",
        "driver",
        "seed",
        "image_size",
        "noise_every",
        "noise_strength",
        "slowest",
        "slow_segment",
        "route",
        "route_noise",
        "signals",
        "signals_file",
        "signal_gaps",
    )
    program = Path(get_package_prefix("wm_training"), "lib", "wm_training", "collect")
    return ExecuteProcess(
        name="collect",
        output="screen",
        cmd=[
            str(program),
            "--planner-node",
            nodes.PLANNER,
            "--role-name",
            role_name,
            *(word for flag in flags for word in (f"--{flag.replace('_', '-')}", value(context, flag))),
            *recorded_cameras(context, role_name),
        ],
        on_exit=after_collect,
    )


def planner(context, role_name):
    """The planner; its commands go to the recorder only.

    No command watchdog: simulated time stands still without commands, and its brake would count as an answer.
    """
    kind = value(context, "simulator")
    parameters = {
        **lock_step.planner_parameters(lock_step.EMBEDDED_WAIT_S),
        **assignments(value(context, "planner_parameters"), "planner_parameters", DECIDED_HERE),
        "bundle": str(Path(value(context, "bundle")).expanduser().absolute()),
        "role_name": role_name,
        "control_topic": f"/carla/{role_name}/planner/control",
    }
    check_planner(parameters, value(context, "fixed_delta_seconds", float) if kind != "none" else None)
    return nodes.planner(parameters)


def simulator(context, role_name):
    """The built-in simulator, as fast as commands arrive."""
    return [
        Node(
            package="wm_sim",
            executable="bridge",
            output="screen",
            parameters=[
                parameter_file(
                    {
                        "real_time_factor": 0.0,
                        "fixed_delta_seconds": value(context, "fixed_delta_seconds", float),
                        **lock_step.simulator_parameters(waits=True),
                        "wait_for_driver": WAIT_FOR_DRIVER_S,
                        **embedded_parameters(context, role_name, value(context, "bundle") if plans(context) else ""),
                        "role_name": role_name,
                    }
                )
            ],
            additional_env=picture_transport(),
            on_exit=lambda event, context: unexpected_end("simulator", event, context),
        )
    ]


def after_collect(event, context):
    """Ends the launch when the folder holds all episodes; raises RuntimeError if the recorder failed."""
    if event.returncode == 0 and not context.is_shutdown:
        return [Shutdown(reason="the folder holds all requested episodes")]
    return unexpected_end("recorder", event, context)

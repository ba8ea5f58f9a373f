"""Simulator, planner and command watchdog together; ends by itself when the built-in simulator's episodes are done.

    ros2 launch wm_planner carla_sim.launch.py                      # the built-in simulator
    ros2 launch wm_planner carla_sim.launch.py simulator:=carla     # a running CARLA and its ROS bridge
    ros2 launch wm_planner carla_sim.launch.py view:=true record:=drive.mcap

Exit code 0 if all episodes were driven, another if the planner or the simulator failed.
"""

from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch_ros.actions import LifecycleNode, Node
from wm_planner.launch_arguments import value
from wm_planner.launch_ends import unexpected_end
from wm_planner.launch_view import view, view_arguments
from wm_planner.recording.launch import recorder

from launch import LaunchDescription

WAIT_FOR_DRIVER_S = 60.0  # how long the simulator's first tick waits for the planner to be active

# [s] After which silence of the planner the command watchdog brakes. A simulator that waits for commands waits for 1 s
# and takes every command as the answer to its tick: a brake in that time would put all later answers one tick late,
# and simulated time stands still meanwhile. So the watchdog then waits longer than the simulator does.
COMMAND_TIMEOUT_S = 0.2
COMMAND_TIMEOUT_WAITING_S = 1.2


def generate_launch_description():
    models = Path(get_package_share_directory("wm_planner"), "models")
    spawn = Path(get_package_share_directory("wm_planner"), "launch", "carla_spawn.json")
    arguments = [
        ("bundle", models / "carracing", "Folder of the model bundle to drive with."),
        ("role_name", "ego_vehicle", "Name of the car in its topics."),
        ("solver", "mppi", "How the planner searches: mppi, cem, shooting or actor (no search)."),
        ("fixed_delta_seconds", "0.08", "[s] Length of a control tick; must be the bundle's control period."),
        ("episodes", "3", "Embedded: episodes to drive before the launch ends; 0 means endless."),
        ("seed", "2000", "Embedded: track of the first episode; every further one takes the next number."),
        ("real_time_factor", "1.0", "Embedded: simulated seconds in a second; 0 means as fast as the planner can."),
        ("host", "localhost", "CARLA: host of the server."),
        ("port", "2000", "CARLA: port of the server."),
        ("town", "Town01", "CARLA: map to load."),
        ("spawn", spawn, "CARLA: JSON file of the car and its sensors."),
        ("record", "", "File (.mcap) to record the drive to; empty: none."),
    ]
    return LaunchDescription([
        DeclareLaunchArgument(
            "simulator", default_value="embedded", choices=["embedded", "carla"],
            description="embedded: the built-in simulator; carla: a running CARLA server through its ROS bridge."),
        *(DeclareLaunchArgument(name, default_value=str(default), description=text)
          for name, default, text in arguments),
        DeclareLaunchArgument(
            "command_watchdog", default_value="true", choices=["true", "false"],
            description="Whether a process of its own brakes when the planner's commands stop."),
        *view_arguments(),
        OpaqueFunction(function=compose),
    ])  # fmt: skip


def compose(context):
    """The actions of this run; raises RuntimeError for a value that cannot be used."""
    simulator = carla if value(context, "simulator") == "carla" else embedded
    watchdog = [command_watchdog(context)] if value(context, "command_watchdog") == "true" else []
    # The view is asked for first: where it cannot be had, nothing starts. The recorder must not miss the beginning.
    watched = view(context, value(context, "role_name"))
    return [*recording(context), *simulator(context), *watchdog, planner(context), *watched]


def waits_for_commands(context):
    """Whether every tick of the simulator waits for its command."""
    # CARLA's bridge is told so below. Without a wall clock to hold it, the built-in simulator has to do the same.
    return value(context, "simulator") == "carla" or value(context, "real_time_factor", float) == 0.0


def planner(context):
    """The planner; it configures and activates itself."""
    return LifecycleNode(
        package="wm_planner", executable="planner", name="wm_planner", namespace="", output="screen",
        parameters=[{
            "bundle": str(Path(value(context, "bundle")).expanduser().absolute()),
            "role_name": value(context, "role_name"),
            "solver": value(context, "solver"),
            # Where simulated time waits for the planner, a late plan is as good as one in time.
            **({"deadline_frames": 0} if waits_for_commands(context) else {}),
            "use_sim_time": False,
            "autostart": True,
        }],
        on_exit=lambda event, context: unexpected_end("planner", event, context))  # fmt: skip


def command_watchdog(context):
    """The process that brakes when the planner hangs or was killed."""
    return Node(
        package="wm_planner", executable="command_watchdog", name="wm_command_watchdog", output="screen",
        parameters=[{
            "role_name": value(context, "role_name"),
            "timeout_s": COMMAND_TIMEOUT_WAITING_S if waits_for_commands(context) else COMMAND_TIMEOUT_S,
        }],
        on_exit=lambda event, context: unexpected_end("command watchdog", event, context))  # fmt: skip


def embedded(context):
    """The built-in simulator; its end is the end of the launch."""
    return [Node(
        package="wm_sim", executable="bridge", output="screen",
        parameters=[{
            "role_name": value(context, "role_name"),
            "seed": value(context, "seed", int),
            "episodes": value(context, "episodes", int),
            "fixed_delta_seconds": value(context, "fixed_delta_seconds", float),
            "real_time_factor": value(context, "real_time_factor", float),
            "synchronous_mode_wait_for_vehicle_control_command": waits_for_commands(context),
            "wait_for_driver": WAIT_FOR_DRIVER_S,
        }],
        on_exit=after_simulator)]  # fmt: skip


def carla(context):
    """CARLA's own bridge and the car; runs until it is interrupted."""
    try:
        bridge, spawner = (
            Path(get_package_share_directory(package)) for package in ("carla_ros_bridge", "carla_spawn_objects")
        )
    except PackageNotFoundError:
        raise RuntimeError(
            "simulator:=carla needs the CARLA ROS bridge (packages carla_ros_bridge and carla_spawn_objects), which is "
            "not installed: build github.com/carla-simulator/ros-bridge in a workspace of a real ROS 2, source that "
            "before env.sh, and install the client of your CARLA server's version (pip install carla==VERSION)"
        ) from None
    # Only here: these need a real ROS 2, as the bridge does.
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    def include(path, **arguments):
        return IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(path)), launch_arguments=list(arguments.items())
        )

    return [
        include(
            bridge / "carla_ros_bridge.launch.py", host=value(context, "host"), port=value(context, "port"),
            town=value(context, "town"), fixed_delta_seconds=value(context, "fixed_delta_seconds"),
            ego_vehicle_role_name=value(context, "role_name"), timeout="10",
            synchronous_mode_wait_for_vehicle_control_command=str(waits_for_commands(context))),
        include(spawner / "carla_spawn_objects.launch.py", objects_definition_file=value(context, "spawn")),
    ]  # fmt: skip


def recording(context):
    """The recorder, where one is asked for."""
    file = value(context, "record")
    return [recorder(file, value(context, "role_name"), on_exit=after_recorder)] if file else []


def after_recorder(event, context):
    """Nothing when the recording is whole; raises RuntimeError if it is not, at the end of the launch too."""
    if event.returncode != 0:
        raise RuntimeError(f"the recorder ended with exit code {event.returncode}: the recording is not whole")


def after_simulator(event, context):
    """Ends the launch when the episodes are done; raises RuntimeError if the simulator failed."""
    if event.returncode == 0 and not context.is_shutdown:
        return [Shutdown(reason="the episodes are done")]
    return unexpected_end("simulator", event, context)

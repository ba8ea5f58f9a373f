"""Simulator, planner and command watchdog together; ends when the built-in simulator's episodes are done.

    ros2 launch wm_planner carla_sim.launch.py                               # the built-in simulator
    ros2 launch wm_planner carla_sim.launch.py view:=true record:=drive.mcap
    ros2 launch wm_planner carla_sim.launch.py objects_definition_file:=launch/wm_sim_four_cameras.json bundle:=DIR
    ros2 launch wm_planner carla_sim.launch.py simulator:=carla bundle:=DIR  # a running CARLA server: docs/carla.md
    ros2 launch wm_planner carla_sim.launch.py command_output:=ackermann     # another message: docs/vehicle.md
    ros2 launch wm_planner carla_sim.launch.py simulator:=none topics:=my_car.yaml bundle:=DIR     # docs/vehicle.md

Exit code 0 if all episodes were driven, another if the planner or the simulator failed.
"""

from functools import partial
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch_ros.actions import Node
from wm_bundle import lock_step
from wm_bundle.vehicle_commands.messages import OUTPUTS
from wm_bundle.vehicle_commands.parameters import COMMAND_PARAMETERS
from wm_planner.launching.arguments import assignments, check_planner, declared, value
from wm_planner.launching.carla import bridge_of, carla, carla_arguments
from wm_planner.launching.embedded import embedded_arguments, embedded_parameters, embedded_vehicle
from wm_planner.launching.files import parameter_file
from wm_planner.launching.nodes import goal_relay, planner, recorder, unexpected_end
from wm_planner.launching.simulators import SIMULATORS, node_parameters, role_name_of
from wm_planner.launching.transport import picture_transport
from wm_planner.launching.view import view, view_arguments
from wm_planner.planning.solvers import SOLVERS

from launch import LaunchDescription

COMMAND_TIMEOUT_S = 0.2  # silence of the planner after which the command watchdog brakes, if time does not wait


def generate_launch_description():
    share = Path(get_package_share_directory("wm_planner"))
    arguments = [
        ("bundle", share / "models" / "carracing", "Folder of the model bundle to drive with."),
        ("role_name", "", "Name of the car in its topics; empty: hero with carla_native, else ego_vehicle."),
        ("solver", "mppi", f"How the planner searches: one of {', '.join(SOLVERS)}; actor and policy do not search."),
        ("proposal_policy", "", "Policy file (.onnx) that proposes actions, or drives with solver:=policy."),
        (
            "command_output",
            "",
            f"Message of the commands: {', '.join(OUTPUTS)}; empty: as in topics, else carla. What the vehicle is like "
            "(max_speed, wheelbase and so on) comes from topics or parameters, except the built-in car's.",
        ),
        ("parameters", "", "Further planner parameters, such as 'candidates=32 seed=1'."),
        ("topics", "", "YAML file of topics and other parameters of the nodes; empty: the simulator's own."),
        ("route", "", "auto, off or required: whether to follow a route; empty: auto, or as in the topics' file."),
        ("goal_topic", "", "Topic whose goals go on to /carla/<role_name>/goal, RViz's is /goal_pose; empty: none."),
        ("fixed_delta_seconds", "0.08", "[s] Length of a control tick; must be the bundle's control period."),
        ("episodes", "3", "Embedded: episodes to drive before the launch ends; 0 means endless."),
        ("seed", "2000", "Embedded: track of the first episode; later ones use the following numbers."),
        ("real_time_factor", "1.0", "Embedded: simulated seconds per second; 0 means as fast as the planner can."),
        ("start_timeout", "600", "Embedded: how long the simulator waits for the planner to be ready [s]."),
        ("strict", False, "Embedded: be as hard to drive with as CARLA's bridge (docs/simulator.md)."),
        ("faults", "", "Embedded: faults at ticks of the car, such as 'stall:2.0@100 reload@300'."),
        ("record", "", "File (.mcap) to record the drive to; empty: none."),
        ("command_watchdog", True, "Whether a separate process brakes when the planner's commands stop."),
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "simulator",
                default_value="embedded",
                choices=list(SIMULATORS),
                description="embedded: the built-in one; carla: a running CARLA server through its ROS bridge; "
                "carla_native: one with --ros2 whose car is already running; none: any car that is already running.",
            ),
            *declared([*arguments, *carla_arguments()]),
            *embedded_arguments(),
            *view_arguments(),
            OpaqueFunction(function=compose),
        ]
    )


def compose(context):
    """The actions of this run; raises RuntimeError for an invalid value."""
    simulator = value(context, "simulator")
    role_name = role_name_of(simulator, value(context, "role_name"))
    parameters = node_parameters(simulator, role_name, value(context, "topics"))
    driving = planner_parameters(context, role_name, parameters["wm_planner"])
    ticks = simulator in ("embedded", "carla")  # the tick length set here
    check_planner(driving, value(context, "fixed_delta_seconds", float) if ticks else None)
    output = driving.get("command_output", "carla")
    if simulator == "carla" and output != "carla" and value(context, "synchronous") == "true":
        raise RuntimeError(
            f"command_output:={output}: CARLA's bridge waits for a CarlaEgoVehicleControl in every tick; with "
            "synchronous:=false its ackermann and twist nodes, started beside this launch, take other messages"
        )
    start = {"embedded": partial(embedded, command_input=output), "carla": carla_server}.get(
        simulator, lambda context, role_name: []
    )
    file, watched_by = value(context, "record"), value(context, "command_watchdog") == "true"
    # Invalid values are refused above and here, before anything starts. The recorder must not miss the start.
    watched = view(context, role_name)
    return [
        *([recorder(file, role_name)] if file else []),
        *start(context, role_name),
        *([command_watchdog(context, role_name, watching(parameters, driving))] if watched_by else []),
        *goals(context, role_name),
        planner(driving),
        *watched,
    ]


def goals(context, role_name):
    """What passes goals on, if asked for."""
    topic = value(context, "goal_topic")
    return [goal_relay(topic, role_name)] if topic else []


def command_wait_s(context):
    """How long every tick of the simulator waits for its command, 0 if it does not wait."""
    # CARLA's bridge gets this setting below. Not paced by a wall clock, the built-in simulator has to do the same.
    if value(context, "simulator") == "embedded":
        wait_s = lock_step.BRIDGE_WAIT_S if value(context, "strict") == "true" else lock_step.EMBEDDED_WAIT_S
        return wait_s if value(context, "real_time_factor", float) == 0.0 else 0.0
    synchronous = value(context, "simulator") == "carla" and value(context, "synchronous") == "true"
    return lock_step.BRIDGE_WAIT_S if synchronous else 0.0


def planner_parameters(context, role_name, topics):
    """The planner's parameters."""
    wait_s, output = command_wait_s(context), value(context, "command_output")
    return {
        **(embedded_vehicle(context) if value(context, "simulator") == "embedded" else {}),
        **topics,
        **({"command_output": output} if output else {}),
        "bundle": str(Path(value(context, "bundle")).expanduser().absolute()),
        "role_name": role_name,
        "solver": value(context, "solver"),
        "proposal_policy": value(context, "proposal_policy"),
        **({"route": value(context, "route")} if value(context, "route") else {}),
        **(lock_step.planner_parameters(wait_s) if wait_s else {}),
        **assignments(value(context, "parameters")),
    }


def watching(parameters, driving):
    """The command watchdog's parameters; its brake is a command like the planner's."""
    commanding = {name: driving[name] for name in COMMAND_PARAMETERS if name in driving}
    return {**parameters["wm_command_watchdog"], **commanding}


def command_watchdog(context, role_name, topics):
    """The process that brakes if the planner hangs or was killed."""
    waits, tick_s = command_wait_s(context) > 0.0, value(context, "fixed_delta_seconds", float)
    timeout = lock_step.watchdog_parameters(tick_s) if waits else {"timeout_s": COMMAND_TIMEOUT_S}
    return Node(
        package="wm_planner",
        executable="command_watchdog",
        name="wm_command_watchdog",
        output="screen",
        parameters=[parameter_file({**timeout, **topics, "role_name": role_name})],
        on_exit=lambda event, context: unexpected_end("command watchdog", event, context),
    )


def embedded(context, role_name, command_input):
    """The built-in simulator; the launch ends with it."""
    strict = value(context, "strict") == "true"
    return [
        Node(
            package="wm_sim",
            executable="bridge",
            output="screen",
            parameters=[
                parameter_file(
                    {
                        "role_name": role_name,
                        "seed": value(context, "seed", int),
                        "episodes": value(context, "episodes", int),
                        "fixed_delta_seconds": value(context, "fixed_delta_seconds", float),
                        "real_time_factor": value(context, "real_time_factor", float),
                        **lock_step.simulator_parameters(command_wait_s(context) > 0.0),
                        **({"strict": True, "command_wait": lock_step.BRIDGE_WAIT_S} if strict else {}),
                        "faults": value(context, "faults"),
                        "command_input": command_input,
                        "wait_for_driver": value(context, "start_timeout", float),
                        **embedded_parameters(context, role_name, value(context, "bundle")),
                    }
                )
            ],
            additional_env=picture_transport(),
            on_exit=after_simulator,
        )
    ]


def carla_server(context, role_name):
    """CARLA's ROS bridge and the car; they run until interrupted."""
    return carla(bridge_of(context, role_name), value(context, "spawn"), value(context, "bundle"))


def after_simulator(event, context):
    """Ends the launch when the episodes are done; raises RuntimeError if the simulator failed."""
    if event.returncode == 0 and not context.is_shutdown:
        return [Shutdown(reason="the episodes are done")]
    return unexpected_end("simulator", event, context)

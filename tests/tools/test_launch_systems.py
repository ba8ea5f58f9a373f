"""Which processes the launch files start with no Python package but what a real ROS 2 brings, and that the real launch
system starts the same ones as ros2_lite."""

import importlib.util
from dataclasses import replace

import graph
import launch_parts
import pytest
import rclpy
from launch_parts import LITE, REAL
from wm_bundle import CameraSpec, ImageSpec, load_bundle, write_bundle
from wm_bundle.processes.ros_distribution import dds_profiles_variable
from wm_bundle.spawn_file import cameras_in
from wm_planner.config import PlannerConfig
from wm_planner.launching.files import parameter_file
from wm_planner.launching.transport import picture_transport

# ros2_lite has no launch_ros of its own on this path.
REAL_IS_HERE = importlib.util.find_spec("launch_ros") is not None
CASES = {
    "embedded": ("carla_sim.launch.py", [], ["wm_planner/command_watchdog", "wm_planner/planner", "wm_sim/bridge"]),
    "in lock-step, watched and recorded": (
        "carla_sim.launch.py",
        [
            "real_time_factor:=0",
            "view:=web",
            "record:=drive.mcap",
            "parameters:=candidates=32 trust=0.5",
            "role_name:=hero",
            "solver:=cem",
        ],
        ["wm_planner/command_watchdog", "wm_planner/planner", "wm_sim/bridge", "wm_tools/live_view", "wm_tools/record"],
    ),
    "carla": (
        "carla_sim.launch.py",
        ["simulator:=carla", "bundle:={carla}", "host:=gpu", "port:=2002", "town:=Town05"],
        [
            "carla_ros_bridge/bridge",
            "carla_spawn_objects/carla_spawn_objects",
            "wm_planner/command_watchdog",
            "wm_planner/planner",
            "wm_tools/carla_watch",
        ],
    ),
    "along a route to goals that somebody points at": (
        "carla_sim.launch.py",
        ["route:=required", "goal_topic:=/goal_pose"],
        ["wm_planner/command_watchdog", "wm_planner/planner", "wm_sim/bridge", "wm_tools/goal_relay"],
    ),
    "carla by the wall clock": (
        "carla_sim.launch.py",
        [
            "simulator:=carla",
            "bundle:={six_cameras}",
            "synchronous:=false",
            "role_name:=hero",
            "command_watchdog:=false",
            "fixed_delta_seconds:=0.05",
            f"spawn:={launch_parts.ROOT / 'launch/carla_spawn_six_cameras.json'}",
        ],
        [
            "carla_ros_bridge/bridge",
            "carla_spawn_objects/carla_spawn_objects",
            "wm_planner/planner",
            "wm_tools/carla_watch",
        ],
    ),
    "carla's own topics": (
        "carla_sim.launch.py",
        ["simulator:=carla_native"],
        ["wm_planner/command_watchdog", "wm_planner/planner"],
    ),
    "collect": (
        "collect.launch.py",
        ["episodes:=2", "output_dir:=data/mine", "world:=town", "signals:=speed_limit,gap", "signal_gaps:=gap"],
        ["wm_sim/bridge", "wm_training/collect"],
    ),
    "collect from several cameras in traffic": (
        "collect.launch.py",
        [
            "driver:=planner",
            f"objects_definition_file:={launch_parts.ROOT / 'launch/wm_sim_four_cameras.json'}",
            "bundle:={four_cameras}",
            "cameras:=rgb_rear,rgb_left",
            "world:=traffic",
        ],
        ["wm_planner/planner", "wm_sim/bridge", "wm_training/collect"],
    ),
    "collect from carla's autopilot": (
        "collect.launch.py",
        [
            "simulator:=carla",
            "driver:=noisy-autopilot",
            "role_name:=hero",
            "town:=Town02",
            f"spawn:={launch_parts.ROOT / 'launch/carla_spawn_six_cameras.json'}",
        ],
        [
            "carla_ros_bridge/bridge",
            "carla_spawn_objects/carla_spawn_objects",
            "wm_tools/carla_watch",
            "wm_training/collect",
        ],
    ),
    "collect a planner's drives in carla": (
        "collect.launch.py",
        ["simulator:=carla", "driver:=noisy-planner", "bundle:={carla}"],
        [
            "carla_ros_bridge/bridge",
            "carla_spawn_objects/carla_spawn_objects",
            "wm_planner/planner",
            "wm_tools/carla_watch",
            "wm_training/collect",
        ],
    ),
    "a replay": (
        "bag_replay.launch.py",
        ["bag:={bag}", "rate:=0.5", "threshold:=dropped<1 latency_ms.p99<60"],
        ["wm_planner/planner", "wm_tools/replay_monitor", "wm_tools/replay_monitor"],
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _own_domain():
    """CARLA's launch looks for a simulator that runs already."""
    with graph.domain_variables(graph.fresh_domain_id()):
        yield


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    return launch_parts.make_prefix(tmp_path_factory.mktemp("prefix"))


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """The shipped model's files as bundles of other cameras, by the names that CASES have for them: all that can be
    checked is checked before anything starts."""
    shipped = load_bundle(launch_parts.ROOT / "models/carracing")
    files = {name: shipped.file(name) for name in shipped.manifest.files}
    folder = tmp_path_factory.mktemp("bundles")
    of = {"bag": folder / "drive.mcap"}
    of["bag"].touch()
    for name, spawn, period_s in (
        ("carla", "carla_spawn", 0.08),
        ("six_cameras", "carla_spawn_six_cameras", 0.05),
        ("four_cameras", "wm_sim_four_cameras", 0.08),
    ):
        sizes = cameras_in(launch_parts.ROOT / f"launch/{spawn}.json", "ego_vehicle")
        cameras = tuple(CameraSpec(camera, height, width) for camera, (width, height) in sizes.items())
        manifest = replace(shipped.manifest, image=ImageSpec(64, 64, cameras), control_period_s=period_s)
        of[name] = write_bundle(folder / name, manifest, files).path
    return of


def arguments_of(case: str, bundles) -> tuple[str, list[str], list[str]]:
    """File, arguments and programs of a case."""
    file, arguments, programs = CASES[case]
    return file, [argument.format_map(bundles) for argument in arguments], programs


@pytest.fixture(scope="module")
def lite(prefix, bundles, tmp_path_factory):
    """What a case starts under ros2_lite, each started once."""
    reports = {}

    def of(case):
        file, arguments, programs = arguments_of(case, bundles)
        if case not in reports:
            folder = tmp_path_factory.mktemp("lite") / "reports"
            reports[case] = launch_parts.started(LITE, prefix, folder, file, arguments, len(programs))
        return reports[case]

    return of


@pytest.mark.parametrize("case", CASES)
def test_a_launch_file_starts_these_processes(lite, case):
    assert [report["program"] for report in lite(case)] == CASES[case][2]


@pytest.mark.skipif(
    not REAL_IS_HERE,
    reason="the real launch system cannot be imported: source a ROS 2, or put "
    "ros2/launch's and ros2/launch_ros's packages on PYTHONPATH",
)
@pytest.mark.parametrize("case", CASES)
def test_the_real_launch_system_starts_the_same(prefix, lite, bundles, tmp_path, case):
    file, arguments, programs = arguments_of(case, bundles)
    real = launch_parts.started(REAL, prefix, tmp_path / "real", file, arguments, len(programs))
    assert real == lite(case)


def test_carla_is_told_to_wait_for_commands_and_the_watchdog_to_count_simulated_time(lite):
    bridge, spawner, watchdog, planner, watch = lite("carla")
    assert bridge["name"] == "carla_ros_bridge"
    assert (
        bridge["parameters"].items()
        >= {
            "host": "gpu",
            "port": 2002,
            "town": "Town05",
            "ego_vehicle_role_name": ["ego_vehicle"],  # of a text, every part would be a name
            "synchronous_mode": True,
            "synchronous_mode_wait_for_vehicle_control_command": True,
            "fixed_delta_seconds": 0.08,
            "use_sim_time": True,
        }.items()
    )
    assert watchdog["parameters"]["lock_step"] and watchdog["parameters"]["timeout_s"] == pytest.approx(3.5 * 0.08)
    assert planner["parameters"]["deadline_frames"] == 0
    (car,) = spawner["spawn"]["objects"]
    assert car["id"] == "ego_vehicle" and all("sensor_tick" not in sensor for sensor in car["sensors"])
    sensors = ["imu", "collision", "lane_invasion", "rgb_front"]
    assert watch["parameters"] == {"role_name": "ego_vehicle", "sensors": sensors}


def test_by_the_wall_clock_the_cameras_keep_the_control_period(lite):
    bridge, spawner, planner, watch = lite("carla by the wall clock")
    assert watch["parameters"]["role_name"] == "hero" and "rgb_rear_left" in watch["parameters"]["sensors"]
    assert not bridge["parameters"]["synchronous_mode"] and bridge["parameters"]["fixed_delta_seconds"] == 0.0
    assert "deadline_frames" not in planner["parameters"]
    (car,) = spawner["spawn"]["objects"]
    ticks = [sensor.get("sensor_tick") for sensor in car["sensors"]]
    assert car["id"] == "hero" and ticks == [None] * 6 + [0.05] * 6


def test_carlas_own_topics_are_those_of_the_car_named_hero(lite):
    watchdog, planner = lite("carla's own topics")
    assert planner["parameters"]["image_topic"] == "/carla/hero/{camera}/image"
    assert planner["parameters"]["role_name"] == watchdog["parameters"]["role_name"] == "hero"
    for told in (planner, watchdog):  # empty: where command_output is usually sent
        command = PlannerConfig(role_name="hero", control_topic=told["parameters"]["control_topic"])
        assert command.topic("control_topic") == "/carla/hero/vehicle_control_cmd"


def test_the_recorder_and_the_simulator_are_told_of_the_same_cameras(lite):
    _, bridge, collect = lite("collect from several cameras in traffic")
    assert [sensor["id"] for sensor in bridge["spawn"]["objects"][0]["sensors"] if "fov" in sensor] == [
        "rgb_front",
        "rgb_left",
        "rgb_right",
        "rgb_rear",
    ]
    assert bridge["parameters"]["world"] == "traffic"
    flags = dict(zip(collect["arguments"][::2], collect["arguments"][1::2], strict=True))
    assert flags["--objects-definition-file"].endswith("wm_sim_four_cameras.json")
    assert flags["--cameras"] == "rgb_rear,rgb_left"


def test_the_recorder_is_told_of_the_signals(lite):
    _, collect = lite("collect")
    flags = dict(zip(collect["arguments"][::2], collect["arguments"][1::2], strict=True))
    assert (flags["--signals"], flags["--signal-gaps"], flags["--signals-file"]) == ("speed_limit,gap", "gap", "")


def test_a_tick_of_carla_that_the_recorder_asks_for_waits_for_no_command(lite):
    bridge, spawner, _, collect = lite("collect from carla's autopilot")
    assert bridge["parameters"]["synchronous_mode"] and bridge["parameters"]["town"] == "Town02"
    assert not bridge["parameters"]["synchronous_mode_wait_for_vehicle_control_command"]
    (car,) = spawner["spawn"]["objects"]
    flags = dict(zip(collect["arguments"][::2], collect["arguments"][1::2], strict=True))
    assert car["id"] == flags["--role-name"] == "hero"
    assert flags["--cameras"].split(",") == [sensor["id"] for sensor in car["sensors"] if "fov" in sensor]
    bridge, _, planner, _, collect = lite("collect a planner's drives in carla")
    assert not bridge["parameters"]["synchronous_mode_wait_for_vehicle_control_command"]
    assert planner["parameters"]["control_topic"] == "/carla/ego_vehicle/planner/control"
    assert "--role-name ego_vehicle" in " ".join(collect["arguments"])


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["simulator:=none"], "name its topics with topics:=FILE"),
        (["simulator:=carla"], "expects rgb_front 96x96, found rgb_front 800x600"),  # the shipped bundle
        (
            [f"objects_definition_file:={launch_parts.ROOT / 'launch/carla_spawn_six_cameras.json'}"],
            "expects rgb_front 96x96, found rgb_front 480x270, rgb_front_left 480x270",
        ),
    ],
)
def test_what_does_not_go_together_starts_nothing(prefix, tmp_path, arguments, message):
    process = launch_parts.begin(LITE, prefix, tmp_path / "lite", "carla_sim.launch.py", arguments)
    output = process.communicate(timeout=60)[0]
    assert process.returncode != 0 and message in output, output
    assert "Traceback" not in output and not list((tmp_path / "lite").glob("[0-9]*"))


def test_a_policy_that_only_the_node_can_read_is_left_to_the_node(prefix, tmp_path):
    arguments = ["solver:=policy", "proposal_policy:=none.onnx"]  # ROS's own Python has no onnxruntime
    reports = launch_parts.started(LITE, prefix, tmp_path / "lite", "carla_sim.launch.py", arguments, 3)
    assert reports[1]["parameters"]["proposal_policy"] == "none.onnx"


def test_words_that_look_like_numbers_reach_the_nodes_as_words():
    given = {
        "role_name": "nan",
        "bundle": "123E5",
        "host": "1e5",
        "flag": True,
        "rate": 0.5,
        "seed": 3,
        "names": ["1e5", "on"],
    }
    context = rclpy.Context()
    rclpy.init(context=context, args=["node", "--ros-args", "--params-file", parameter_file(given)])
    try:
        node = rclpy.create_node("reader", context=context, automatically_declare_parameters_from_overrides=True)
        assert {name: node.get_parameter(name).value for name in given} == given
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)


def with_profile(reports) -> list[str]:
    return [report["program"] for report in reports if report["profile"] == "fastdds_pictures.xml"]


@pytest.mark.skipif(not picture_transport(), reason="another transport was chosen, or shared memory has no room")
def test_only_what_publishes_pictures_gets_large_shared_memory(lite):
    assert with_profile(lite("embedded")) == with_profile(lite("collect")) == ["wm_sim/bridge"]
    assert with_profile(lite("carla")) == ["carla_ros_bridge/bridge"]
    assert with_profile(lite("carla's own topics")) == []


def test_a_transport_of_the_users_own_is_left_alone(prefix, tmp_path, monkeypatch):
    monkeypatch.setenv(dds_profiles_variable(), "/my/own.xml")
    reports = launch_parts.started(LITE, prefix, tmp_path / "lite", "carla_sim.launch.py", [], 3)
    assert [report["profile"] for report in reports] == ["own.xml"] * 3

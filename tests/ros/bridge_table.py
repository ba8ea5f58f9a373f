"""The CARLA ROS bridge as a table (upstream for CARLA 0.9.13, carla_msgs 1.3.0), for a car `ego_vehicle` with the
sensors of SPAWN. Only what the bridge has is here; wm_sim's own topics are in docs/simulator.md. `test_fidelity` holds
wm_sim against it, `carla_bridge/test_table` the real bridge."""

from __future__ import annotations

from dataclasses import dataclass

EGO = "/carla/ego_vehicle"
COMMAND_WAIT_S = 1.0  # wall time that a tick waits for its command at most, in waiting mode
STEPS_NS = {79_999_998, 79_999_999}  # between stamps at 0.08 s: CARLA counts 0.07999999821186066 s
TF = "/tf"
CAMERAS = {"rgb_front": 0.0, "rgb_left": 90.0, "rgb_right": -90.0, "rgb_rear": 180.0}  # id and yaw [degrees]
CAMERA_SIZE = (160, 120)
FOV_DEGREES = 100.0


@dataclass(frozen=True)
class Row:
    """A topic.

    Parameters
    ----------
    frame: str
        `header.frame_id`; empty: the message has none.
    latched: bool
        TRANSIENT_LOCAL instead of VOLATILE. All are RELIABLE.
    event: bool
        Sent when something happens, not in every tick. On the real bridge its stamp may be the tick's before: it does
        not wait for events.
    transform: str
        Child frame of the /tf message that is sent just before; empty: none.
    seen: bool
        Seen on the real bridge with a stand-in for CARLA's client, by carla_bridge/test_table; False: only read in its
        sources.
    node: str
        That has the topic, one beside it.
    """

    topic: str
    type: str
    frame: str = ""
    latched: bool = False
    event: bool = False
    transform: str = ""
    seen: bool = True
    node: str = "carla_ros_bridge"


# In every tick, before the car's sensors. The spawner spawns what is not on a car first.
OF_THE_TICK = [
    Row("/carla/status", "carla_msgs/msg/CarlaStatus"),
    Row("/clock", "rosgraph_msgs/msg/Clock"),
    Row("/carla/markers", "visualization_msgs/msg/MarkerArray"),
    Row(f"{EGO}/vehicle_status", "carla_msgs/msg/CarlaEgoVehicleStatus", "map"),
]


def _camera_rows(name: str) -> list[Row]:
    frame = f"ego_vehicle/{name}"
    return [
        Row(f"{EGO}/{name}/camera_info", "sensor_msgs/msg/CameraInfo", frame, transform=frame),
        Row(f"{EGO}/{name}/image", "sensor_msgs/msg/Image", frame),
    ]


# Sensors send in the order in which they were spawned: that of SPAWN.
SENSORS = [
    *(row for name in CAMERAS for row in _camera_rows(name)),
    Row(f"{EGO}/imu", "sensor_msgs/msg/Imu", "ego_vehicle/imu", transform="ego_vehicle/imu"),
    Row(
        f"{EGO}/collision",
        "carla_msgs/msg/CarlaCollisionEvent",
        "ego_vehicle/collision",
        event=True,
        transform="ego_vehicle/collision",
    ),
    Row(
        f"{EGO}/lane_invasion",
        "carla_msgs/msg/CarlaLaneInvasionEvent",
        "ego_vehicle/lane_invasion",
        event=True,
        transform="ego_vehicle/lane_invasion",
    ),
    Row(TF, "tf2_msgs/msg/TFMessage"),
    Row(f"{EGO}/odometry", "nav_msgs/msg/Odometry", "map"),
    Row(f"{EGO}/speedometer", "std_msgs/msg/Float32"),
]
ONCE = [
    Row("/carla/world_info", "carla_msgs/msg/CarlaWorldInfo", latched=True),
    Row(f"{EGO}/vehicle_info", "carla_msgs/msg/CarlaEgoVehicleInfo", latched=True),
    Row(f"{EGO}/waypoints", "nav_msgs/msg/Path", "map", latched=True, seen=False, node="carla_waypoint_publisher"),
    Row("/carla/markers/static", "visualization_msgs/msg/MarkerArray", latched=True),
]
PUBLISHED = [*OF_THE_TICK, *SENSORS, *ONCE]
SUBSCRIBED = [
    Row("/carla/control", "carla_msgs/msg/CarlaControl"),
    Row(f"{EGO}/vehicle_control_cmd", "carla_msgs/msg/CarlaEgoVehicleControl"),
    Row(f"{EGO}/vehicle_control_cmd_manual", "carla_msgs/msg/CarlaEgoVehicleControl"),
    Row(f"{EGO}/vehicle_control_manual_override", "std_msgs/msg/Bool", latched=True),
    Row(f"{EGO}/enable_autopilot", "std_msgs/msg/Bool"),
    Row(f"{EGO}/control/set_transform", "geometry_msgs/msg/Pose"),
    Row(f"{EGO}/control/set_target_velocity", "geometry_msgs/msg/Twist"),
    Row("/initialpose", "geometry_msgs/msg/PoseWithCovarianceStamped", node="set_initial_pose"),
]
# Publishers of /tf: one in each of CARLA's own sensors, and the car's.
TF_PUBLISHERS = len({row.transform for row in SENSORS if row.transform}) + 1
TF_MESSAGE_HASH = "RIHS01_e369d0f05a23ae52508854b66f6aa0437f3449d652e8cbf22d5abe85d020f087"


def _camera(name: str, yaw: float) -> dict:
    width, height = CAMERA_SIZE
    return {
        "type": "sensor.camera.rgb",
        "id": name,
        "image_size_x": width,
        "image_size_y": height,
        "fov": FOV_DEGREES,
        "spawn_point": {"x": 0.5, "y": 0.2, "z": 2.0, "roll": 3.0, "pitch": 15.0, "yaw": yaw},
    }


def spawn(sensors: list[dict]) -> dict:
    """A spawn file's content: one car with these sensors, and markers of the world."""
    car = {"type": "vehicle.tesla.model3", "id": "ego_vehicle", "sensors": sensors}
    return {"objects": [{"type": "sensor.pseudo.markers", "id": "markers"}, car]}


SPAWN = spawn(
    [
        *(_camera(name, yaw) for name, yaw in CAMERAS.items()),
        {"type": "sensor.other.imu", "id": "imu", "spawn_point": {"x": 0.0, "y": 0.0, "z": 1.0}},
        {"type": "sensor.other.collision", "id": "collision", "spawn_point": {"x": 0.0, "y": 0.0, "z": 0.0}},
        {"type": "sensor.other.lane_invasion", "id": "lane_invasion"},
        {"type": "sensor.pseudo.tf", "id": "tf"},
        {"type": "sensor.pseudo.odom", "id": "odometry"},
        {"type": "sensor.pseudo.speedometer", "id": "speedometer"},
        {"type": "actor.pseudo.control", "id": "control"},
    ]
)

"""Plain values to ROS messages, as filled in by the CARLA bridge. Needs no node."""

import array
import math
from collections.abc import Sequence

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from carla_msgs.msg import (
    CarlaCollisionEvent,
    CarlaEgoVehicleControl,
    CarlaEgoVehicleInfo,
    CarlaEgoVehicleInfoWheel,
    CarlaEgoVehicleStatus,
    CarlaLaneInvasionEvent,
)
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Transform, TransformStamped, Vector3
from nav_msgs.msg import Odometry, Path
from sensor_msgs.msg import CameraInfo, Image, Imu
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray
from wm_bundle.rotation import yaw_of
from wm_bundle.times import NS_PER_S
from wm_msgs.msg import StepResult

from wm_sim.commands import Command
from wm_sim.pinhole import Mount
from wm_sim.simulation import Tick
from wm_sim.solids import Box
from wm_sim.world import CarBody, CarState, Collision, Marking

NATIVE_FOV = math.pi / 2  # [rad] nominal: a native view has no mount, and CarRacing's is not a pinhole camera's
EGO_COLOUR, OTHERS_COLOUR = ColorRGBA(g=255.0, a=0.3), ColorRGBA(r=255.0, g=255.0, a=0.3)
MAP = "map"  # frame
GRAVITY = 9.81  # [m/s^2]
WAYPOINT_SPACING_M = 1.0
BYTES_PER_PIXEL = 4  # bgra8


def time_from_ns(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)


def command_from_msg(msg: CarlaEgoVehicleControl) -> Command:
    """The part of a control message that a built-in car supports; gears are automatic."""
    return Command(msg.steer, msg.throttle, msg.brake, msg.hand_brake, msg.reverse)


def control_msg(header: Header, command: Command) -> CarlaEgoVehicleControl:
    """A command as a message; the one gear is reported as 1, in reverse as -1."""
    return CarlaEgoVehicleControl(
        header=header,
        throttle=command.throttle,
        steer=command.steer,
        brake=command.brake,
        hand_brake=command.hand_brake,
        reverse=command.reverse,
        gear=-1 if command.reverse else 1,
    )


def status_msg(header: Header, tick: Tick) -> CarlaEgoVehicleStatus:
    """Speed without sign, acceleration in the map frame, the command applied in the interval that ended."""
    msg = CarlaEgoVehicleStatus(header=header, velocity=tick.state.speed, orientation=_orientation(tick.state.yaw))
    msg.acceleration.linear.x = tick.state.acceleration_x
    msg.acceleration.linear.y = tick.state.acceleration_y
    msg.control = control_msg(Header(), tick.applied)  # the bridge leaves the inner header empty
    return msg


def odometry_msg(header: Header, state: CarState, child_frame: str) -> Odometry:
    """Pose in the map, twist in the car's own frame, covariances zero."""
    msg = Odometry(header=header, child_frame_id=child_frame)
    msg.pose.pose.position.x = state.x
    msg.pose.pose.position.y = state.y
    msg.pose.pose.orientation = _orientation(state.yaw)
    msg.twist.twist.linear.x = state.forward_speed
    msg.twist.twist.linear.y = state.left_speed
    msg.twist.twist.angular.z = state.yaw_rate
    return msg


def imu_msg(header: Header, state: CarState) -> Imu:
    """Yaw rate and acceleration (mean over the last tick, with gravity) in the car's axes; covariances zero."""
    msg = Imu(header=header, orientation=_orientation(state.yaw))
    msg.angular_velocity.z = state.yaw_rate
    cosine, sine = math.cos(state.yaw), math.sin(state.yaw)
    msg.linear_acceleration.x = state.acceleration_x * cosine + state.acceleration_y * sine
    msg.linear_acceleration.y = -state.acceleration_x * sine + state.acceleration_y * cosine
    msg.linear_acceleration.z = GRAVITY
    return msg


def car_transform(header: Header, state: CarState, child_frame: str) -> TransformStamped:
    """The car in the map, for /tf."""
    transform = Transform(translation=Vector3(x=state.x, y=state.y), rotation=_orientation(state.yaw))
    return TransformStamped(header=header, child_frame_id=child_frame, transform=transform)


def sensor_transform(header: Header, child_frame: str, mount: Mount, rotation: tuple) -> TransformStamped:
    """A sensor on the car, for /tf; ``rotation`` is a quaternion (x, y, z, w)."""
    x, y, z, w = rotation
    transform = Transform(translation=Vector3(x=mount.x, y=mount.y, z=mount.z), rotation=Quaternion(x=x, y=y, z=z, w=w))
    return TransformStamped(header=header, child_frame_id=child_frame, transform=transform)


def path_msg(header: Header, line: np.ndarray) -> Path:
    """A line (K, 2) [m] as poses about WAYPOINT_SPACING_M apart that point along it."""
    distance = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, distance[-1], round(distance[-1] / WAYPOINT_SPACING_M) + 1)
    points = np.stack([np.interp(at, distance, line[:, axis]) for axis in range(2)], axis=1)
    steps = np.diff(points, axis=0)
    # Where a line ends at its beginning, the last pose is the first one again.
    closed = np.array_equal(line[0], line[-1])
    along = np.vstack([steps, steps[:1] if closed else steps[-1:]])
    poses = [
        PoseStamped(pose=Pose(position=Point(x=float(x), y=float(y)), orientation=_orientation(math.atan2(dy, dx))))
        for (x, y), (dx, dy) in zip(points, along, strict=True)
    ]
    return Path(header=header, poses=poses)


def pose_msg(header: Header, x: float, y: float, yaw: float) -> PoseStamped:
    """A place on the map, such as a goal."""
    return PoseStamped(header=header, pose=Pose(position=Point(x=x, y=y), orientation=_orientation(yaw)))


def goal_of(msg: PoseStamped) -> tuple[float, float]:
    """x, y [m] of a goal on the map; ValueError for one in another frame."""
    if msg.header.frame_id not in ("", MAP):
        raise ValueError(f"the goal is in the frame '{msg.header.frame_id}', expected '{MAP}'")
    return msg.pose.position.x, msg.pose.position.y


def markers_msg(header: Header, tick: Tick, car: CarBody, others: Sequence[Box]) -> MarkerArray:
    """The cars as boxes, this one first, in the bridge's colours for them; ids are actor ids."""
    state = tick.state
    own = Box(tick.car_id, state.x, state.y, state.yaw, car.size_m, (0, 0, 0))
    return MarkerArray(
        markers=[_marker(header, own, EGO_COLOUR), *(_marker(header, other, OTHERS_COLOUR) for other in others)]
    )


def _marker(header: Header, box: Box, colour: ColorRGBA) -> Marker:
    length, width, height = box.size_m
    marker = Marker(header=header, id=box.id, type=Marker.CUBE, color=colour)
    marker.pose = Pose(position=Point(x=box.x, y=box.y, z=height / 2), orientation=_orientation(box.yaw))
    marker.scale = Vector3(x=length, y=width, z=height)
    return marker


def yaw_from_orientation(orientation: Quaternion) -> float:
    """Yaw [rad] of a quaternion of any length; NaN for an invalid one."""
    values = orientation.x, orientation.y, orientation.z, orientation.w
    size = math.hypot(*values)
    return yaw_of(*(value / size for value in values)) if size > 1e-3 else math.nan


def collision_msg(header: Header, collision: Collision) -> CarlaCollisionEvent:
    """What the car hit, and the impulse on it.

    CARLA's bridge leaves this vector in CARLA's left-handed axes, so y is negated here.
    """
    x, y = collision.impulse
    return CarlaCollisionEvent(header=header, other_actor_id=collision.other_id, normal_impulse=Vector3(x=x, y=-y))


def lane_invasion_msg(header: Header, crossed: Sequence[Marking]) -> CarlaLaneInvasionEvent:
    return CarlaLaneInvasionEvent(header=header, crossed_lane_markings=[int(marking) for marking in crossed])


def step_result_msg(header: Header, tick: Tick, latency_ms: float) -> StepResult:
    return StepResult(
        header=header,
        reward=tick.outcome.reward,
        terminated=tick.outcome.terminated,
        truncated=tick.outcome.truncated,
        wheels_off_road=tick.state.wheels_off_road,
        command_latency_ms=latency_ms,
        infractions=list(tick.outcome.infractions),
        route_completion=tick.outcome.route_completion,
        time_to_collision_s=tick.outcome.time_to_collision_s,
    )


def camera_info_msg(header: Header, width: int, height: int, fov: float) -> CameraInfo:
    """A camera without distortion; ``fov`` is horizontal [rad]."""
    focal = width / (2.0 * math.tan(fov / 2))
    cx, cy = width / 2.0, height / 2.0
    return CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def image_msg(header: Header, rgb: np.ndarray, width: int, height: int) -> Image:
    """(h, w, 3) uint8 RGB as bgra8 of the given size."""
    if rgb.shape[:2] != (height, width):
        shrinks = width * height < rgb.shape[0] * rgb.shape[1]
        rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    data = array.array("B")  # rclpy does not check the items of such an array
    data.frombytes(memoryview(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA)).cast("B"))
    return Image(
        header=header,
        width=width,
        height=height,
        encoding="bgra8",
        is_bigendian=0,
        step=BYTES_PER_PIXEL * width,
        data=data,
    )


def vehicle_info_msg(car_id: int, role_name: str, car: CarBody) -> CarlaEgoVehicleInfo:
    """What is fixed about the car; fields that do not apply to the built-in cars stay zero."""
    wheels = [
        CarlaEgoVehicleInfoWheel(
            tire_friction=1.0,
            max_steer_angle=car.max_steering_angle if x > 0 else 0.0,
            radius=car.wheel_radius_m,
            position=Vector3(x=x, y=y),
        )
        for x, y in car.wheel_positions_m
    ]
    return CarlaEgoVehicleInfo(
        id=car_id, type=car.type, rolename=role_name, wheels=wheels, use_gear_autobox=True, mass=car.mass_kg
    )


def _orientation(yaw: float) -> Quaternion:
    return Quaternion(z=math.sin(yaw / 2), w=math.cos(yaw / 2))

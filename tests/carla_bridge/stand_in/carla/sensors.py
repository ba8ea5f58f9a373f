"""What a sensor measures in a snapshot, as an object with the fields of CARLA's sensor data."""

import math
from types import SimpleNamespace

from . import libcarla, picture, road
from .values import NOWHERE, Body, Snapshot


def is_due(body: Body, elapsed_s: float) -> bool:
    """Whether a sensor with a sensor_tick measures at this time; counts it."""
    tick = float(body.attributes.get("sensor_tick") or 0.0)
    if tick:
        if elapsed_s < body.next_s - 1e-6:
            return False
        body.next_s = max(body.next_s + tick, elapsed_s)
    return True


def measure(body: Body, snapshot: Snapshot, faults):
    """The data, or None where there is nothing to report. ``faults``: what was ordered, see `orders`."""
    stamp, state = snapshot.timestamp, snapshot.states[body.id]
    parent = snapshot.states.get(body.parent, NOWHERE)
    read = _READERS.get(body.type_id)
    values = read(body, state, parent, faults) if read and is_due(body, stamp.elapsed_seconds) else None
    if values is None:
        return None
    return SimpleNamespace(frame=snapshot.frame, timestamp=stamp.elapsed_seconds, transform=state.transform(), **values)


def _camera(body, state, parent, faults):
    if faults.blind:
        return None
    width, height = int(body.attributes["image_size_x"]), int(body.attributes["image_size_y"])
    fov = float(body.attributes["fov"])
    if not (faults.frozen and body.last_picture):
        body.last_picture = picture.draw(state.place, state.turn, width, height, fov).tobytes()
    return dict(width=width, height=height, fov=fov, raw_data=body.last_picture)


def _imu(body, state, parent, faults):
    yaw = math.radians(parent.turn[1])
    ax, ay, _ = parent.acceleration
    ahead, right = ax * math.cos(yaw) + ay * math.sin(yaw), -ax * math.sin(yaw) + ay * math.cos(yaw)
    return dict(
        accelerometer=libcarla.Vector3D(ahead, right, 9.81),
        compass=0.0,
        gyroscope=libcarla.Vector3D(0.0, 0.0, math.radians(parent.yaw_rate)),
    )


def _gnss(body, state, parent, faults):
    return dict(latitude=0.0, longitude=0.0, altitude=0.0)


def _collision(body, state, parent, faults):
    if not faults.collisions:
        return None
    faults.collisions -= 1
    return dict(other_actor=faults.other_car, normal_impulse=libcarla.Vector3D(-800.0, 10.0, 0.0))


def _lane_invasion(body, state, parent, faults):
    before, body.offset = body.offset, road.offset(parent.place)
    for edge, marking in ((-1.0, 1), (1.0, 2)):  # the car's sides are 1 m from its middle, the markings 2 m
        if (before - edge) * (body.offset - edge) < 0.0:
            return dict(crossed_lane_markings=[SimpleNamespace(type=libcarla.LaneMarkingType.values[marking])])
    return None


_READERS = {
    "sensor.camera.rgb": _camera,
    "sensor.other.imu": _imu,
    "sensor.other.gnss": _gnss,
    "sensor.other.collision": _collision,
    "sensor.other.lane_invasion": _lane_invasion,
}

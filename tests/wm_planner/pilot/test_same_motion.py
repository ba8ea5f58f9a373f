"""The vector inputs of a bag's rows are those that the node makes of the same messages."""

import dataclasses

import numpy as np
import pytest
from carla_msgs.msg import CarlaEgoVehicleStatus
from fake_pilot import PERIOD_NS, image, make_pilot
from fixtures_rosbag import CAMERA, VEHICLE, Recording, stamped, write_bag
from fixtures_rosbag import image as image_fields
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Imu
from test_rosbag_formats import converted
from wm_bundle import VectorSpec
from wm_bundle.frames import Frame
from wm_planner.node.messages import odometry_sample_of, status_sample_of, yaw_rate_sample_of
from wm_planner.pilot.speed_input import SpeedInput

BEGIN_NS = 1_000_000_000
TICKS = 20
MS = 1_000_000
VECTOR = (VectorSpec("speed", "m/s", 0.0, 1.0), VectorSpec("yaw_rate", "rad/s", 0.0, 1.0))
TYPES = {"status": CarlaEgoVehicleStatus, "odometry": Odometry, "imu": Imu}
TOPICS = {"status": f"{VEHICLE}/vehicle_status", "odometry": f"{VEHICLE}/odometry", "imu": f"{VEHICLE}/imu"}


def sliding(kind: str, stamp: int, random: np.random.Generator) -> dict:
    """Fields of a message of a car that slides and rolls over bumps, so that all three axes have a speed."""
    turn = float(random.normal(0.0, 0.5))
    along, aside, up = (float(v) for v in random.normal((4.0, 1.5, 0.3), 0.5))
    if kind == "status":
        return {"header": stamped(stamp), "velocity": abs(along)}
    if kind == "imu":
        return {"header": stamped(stamp), "angular_velocity": {"z": turn}}
    return {
        "header": stamped(stamp),
        "twist": {"twist": {"linear": {"x": along, "y": aside, "z": up}, "angular": {"z": turn}}},
    }


def filled(message, fields: dict):
    for name, value in fields.items():
        if isinstance(value, dict):
            filled(getattr(message, name), value)
        else:
            setattr(message, name, value)
    return message


def messages(kinds: tuple[str, ...]) -> list[tuple[int, str, dict]]:
    """(stamp, kind, fields) at three times the pictures' rate, none at the same moment as a picture but every third."""
    random = np.random.default_rng(5)
    stamps = range(BEGIN_NS - PERIOD_NS, BEGIN_NS + TICKS * PERIOD_NS, PERIOD_NS // 3)
    return [(stamp, kind, sliding(kind, stamp, random)) for stamp in stamps for kind in kinds]


def rows_of_convert(path, told, **values) -> dict[int, np.ndarray]:
    recording = Recording()
    for stamp, kind, fields in told:
        package = "carla_msgs" if kind == "status" else "nav_msgs" if kind == "odometry" else "sensor_msgs"
        recording.add(TOPICS[kind], f"{package}/msg/{TYPES[kind].__name__}", stamp, **fields)
    for tick in range(TICKS):
        stamp = BEGIN_NS + tick * PERIOD_NS
        picture = image_fields(stamp, np.full((8, 8, 4), tick, np.uint8))
        recording.add(CAMERA, "sensor_msgs/msg/Image", stamp + MS, **picture)
    recording.messages.sort(key=lambda message: message[2])
    (episode,), _ = converted(write_bag(path, recording), image_size=8, **values)
    assert [column["name"] for column in episode.meta["vector"]] == [entry.name for entry in VECTOR]
    return dict(zip(episode.stamps_ns.tolist(), episode.vector, strict=True))


def inputs_of_node(told, engine, clock, manifest, yaw_rate_source: str) -> dict[int, np.ndarray]:
    """What the pilot gives the engine, from messages taken in as inputs.py does."""
    pilot = make_pilot(engine, clock, dataclasses.replace(manifest, vector=VECTOR))
    speed = SpeedInput("auto", lambda text: None, clock)
    seen, waiting = {}, list(told)
    for tick in range(TICKS):
        stamp = BEGIN_NS + tick * PERIOD_NS
        clock.advance(0.08)
        while waiting and waiting[0][0] <= stamp:
            _, kind, fields = waiting.pop(0)
            message = filled(TYPES[kind](), fields)
            if kind == yaw_rate_source:
                pilot.take_yaw_rate(yaw_rate_sample_of(message))
            if kind != "imu":
                take = status_sample_of if kind == "status" else odometry_sample_of
                counting = speed.take(kind, take(message))
                if counting is not None:
                    pilot.take_status(counting)
        pilot.decide(Frame(stamp, (image(stamp, tick),), clock()))
        seen[stamp] = engine.observed[-1].vector
    return seen


@pytest.mark.parametrize(
    ("kinds", "source", "values"),
    [
        (("odometry",), "odometry", {"actions": "derived"}),
        (("status", "odometry"), "odometry", {}),
        (("odometry", "imu"), "imu", {"actions": "derived", "topics": (f"imu={TOPICS['imu']}",)}),
        (("status", "imu"), "imu", {}),
    ],
)
def test_a_bags_vector_is_the_nodes(tmp_path, engine, clock, manifest, kinds, source, values):
    told = messages(kinds)
    ours = rows_of_convert(tmp_path / "bag", told, **values)
    theirs = inputs_of_node(told, engine, clock, manifest, source)
    assert len(ours) == TICKS - 1
    for stamp, row in ours.items():
        np.testing.assert_array_equal(row, theirs[stamp])

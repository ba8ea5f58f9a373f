"""The vector inputs of a bag's rows are those that the node makes of the same messages."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from extra_input import register
from fake_pilot import PERIOD_NS, assert_brakes, drive, image, make_pilot
from fixtures_rosbag import CAMERA, VEHICLE, Recording, stamped, write_bag
from fixtures_rosbag import image as image_fields
from rosbag_conversion import converted
from wm_bundle import VectorSpec
from wm_bundle.pictures.frames import Frame
from wm_bundle.vector_inputs import IMU, ODOMETRY, SPEED, STATUS, YAW_RATE, VectorInput
from wm_planner.config import PlannerConfig
from wm_planner.node.inputs import Inputs
from wm_planner.pilot.continuity import Sample

BEGIN_NS = 1_000_000_000
TICKS = 20
MS = 1_000_000
TYPES = {topic.kind: topic.type for topic in (STATUS, ODOMETRY, IMU)}
TOPICS = {"status": f"{VEHICLE}/vehicle_status", "odometry": f"{VEHICLE}/odometry", "imu": f"{VEHICLE}/imu"}


def sliding(kind: str, stamp: int, random: np.random.Generator) -> dict:
    """Fields of a message of a car that slides and rolls over bumps, so that all three axes have a speed."""
    turn = float(random.normal(0.0, 0.5))
    along, aside, up = (float(v) for v in random.normal((4.0, 1.5, 0.3), 0.5))
    if kind == "status":
        return {"header": stamped(stamp), "velocity": abs(along)}
    if kind == "imu":
        return {"header": stamped(stamp), "angular_velocity": {"z": turn}, "linear_acceleration": {"x": along}}
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


def specs(*entries: VectorInput) -> tuple[VectorSpec, ...]:
    return tuple(VectorSpec(entry.name, entry.unit, 0.0, 1.0) for entry in entries)


def rows_of_convert(path, told, vector, **values) -> dict[int, np.ndarray]:
    recording = Recording()
    for stamp, kind, fields in told:
        recording.add(TOPICS[kind], TYPES[kind], stamp, **fields)
    for tick in range(TICKS):
        stamp = BEGIN_NS + tick * PERIOD_NS
        picture = image_fields(stamp, np.full((8, 8, 4), tick, np.uint8))
        recording.add(CAMERA, "sensor_msgs/msg/Image", stamp + MS, **picture)
    recording.messages.sort(key=lambda message: message[2])
    (episode,), _ = converted(write_bag(path, recording), image_size=8, **values)
    assert episode.meta["vector"] == [{"name": spec.name, "unit": spec.unit} for spec in vector]
    return dict(zip(episode.stamps_ns.tolist(), episode.vector, strict=True))


class Node:
    """As much of a node as inputs.py needs, and the topics that it listens to."""

    def __init__(self):
        self.topics = {}

    def subscription(self, kind, topic, callback, qos, remedy=""):
        self.topics[topic] = kind, callback

    def create_timer(self, *_, **__):
        return SimpleNamespace(cancel=lambda: None)

    def resolve_topic_name(self, topic: str) -> str:
        return topic

    def get_logger(self):
        return SimpleNamespace(info=lambda line: None)

    def tell(self, topic: str, fields: dict) -> None:
        if topic in self.topics:
            kind, callback = self.topics[topic]
            callback(filled(kind(), fields))


def inputs_of_node(told, engine, clock, manifest, vector, **parameters) -> dict[int, np.ndarray]:
    """What the pilot gives the engine."""
    manifest = dataclasses.replace(manifest, vector=vector)
    pilot = make_pilot(engine, clock, manifest, **parameters)
    node = Node()
    Inputs(node, node, PlannerConfig(**parameters), manifest, pilot, SimpleNamespace(), None).start()
    seen, waiting = {}, list(told)
    for tick in range(TICKS):
        stamp = BEGIN_NS + tick * PERIOD_NS
        clock.advance(0.08)
        while waiting and waiting[0][0] <= stamp:
            _, kind, fields = waiting.pop(0)
            node.tell(TOPICS[kind], fields)
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
        (("status", "imu"), "imu", {"yaw_rate_factor": -1.0}),
    ],
)
def test_a_bags_vector_is_the_nodes(tmp_path, engine, clock, manifest, kinds, source, values):
    told = messages(kinds)
    vector = specs(SPEED, YAW_RATE)
    factor = {name: value for name, value in values.items() if name == "yaw_rate_factor"}
    ours = rows_of_convert(tmp_path / "bag", told, vector, **values)
    theirs = inputs_of_node(told, engine, clock, manifest, vector, yaw_rate_source=source, **factor)
    assert len(ours) == TICKS - 1
    for stamp, row in ours.items():
        np.testing.assert_array_equal(row, theirs[stamp])


def test_an_input_that_is_entered_in_the_registry_is_converted_and_driven_with(
    tmp_path, engine, clock, manifest, monkeypatch
):
    vector = specs(SPEED, YAW_RATE, register(monkeypatch))
    told = messages(("status", "odometry", "imu"))
    ours = rows_of_convert(tmp_path / "bag", told, vector)
    theirs = inputs_of_node(told, engine, clock, manifest, vector)
    assert len(ours) == TICKS - 1 and len({row[2] for row in ours.values()}) == TICKS - 1
    for stamp, row in ours.items():
        np.testing.assert_array_equal(row, theirs[stamp])


def test_the_pilot_brakes_without_an_input_of_the_bundle_and_says_which(engine, clock, manifest, monkeypatch):
    vector = specs(SPEED, register(monkeypatch))
    pilot = make_pilot(engine, clock, dataclasses.replace(manifest, vector=vector))
    expected = "no imu at or shortly before the image's stamp 0.080 s, so no acceleration along, which the bundle needs"
    assert_brakes(drive(pilot, clock, 1), expected)
    pilot.take("acceleration_along", Sample(2 * PERIOD_NS, -1.5))
    drive(pilot, clock, 2, speed=3.0)
    assert engine.observed[-1].vector.tolist() == [3.0, -1.5]

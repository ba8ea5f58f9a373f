"""`record` over a real graph: a drive of simulator and planner, late topics, and its ends."""

import signal
import time

import graph
import pytest
import rclpy
from bridge_table import STEPS_NS
from mcap.reader import make_reader
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from recorded_drive import ROOT, START_S, record_drive
from rosbags.highlevel import AnyReader
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String
from tiny_bundle import make_tiny_bundle
from wm_tools.replay.frames import header_stamp_ns

CAMERA, COMMANDS = f"{ROOT}/rgb_front/image", f"{ROOT}/vehicle_control_cmd"


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """(the file, what the recorder said)"""
    folder = tmp_path_factory.mktemp("drive")
    said = record_drive(folder / "drive.mcap", make_tiny_bundle(folder / "bundle"), 4.0)
    return folder / "drive.mcap", said


def test_the_recording_is_whole_when_the_simulator_has_ended(drive):
    file, said = drive
    assert "the vehicle's topics are no longer published" in said
    assert f"topics in {file}" in said
    assert "dropped" not in said and "lost" not in said
    assert not file.with_name(file.name + ".part").exists()


def test_pictures_and_their_commands_are_there_by_the_mcap_library(drive):
    with open(drive[0], "rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        summary = reader.get_summary()
        found = [(channel.topic, message) for _, channel, message in reader.iter_messages()]
    topics = {channel.topic for channel in summary.channels.values()}
    assert {
        CAMERA,
        COMMANDS,
        f"{ROOT}/rgb_front/camera_info",
        f"{ROOT}/vehicle_status",
        f"{ROOT}/odometry",
        f"{ROOT}/speedometer",
        f"{ROOT}/collision",
        f"{ROOT}/lane_invasion",
        f"{ROOT}/step_result",
        f"{ROOT}/planner/status",
        f"{ROOT}/planner/imagined",
        f"{ROOT}/planner/future",
        "/clock",
    } <= topics
    pictures = [header_stamp_ns(message.data) for topic, message in found if topic == CAMERA]
    commands = [header_stamp_ns(message.data) for topic, message in found if topic == COMMANDS]
    assert len(pictures) > 20
    assert {later - earlier for earlier, later in zip(pictures, pictures[1:], strict=False)} <= STEPS_NS
    assert len(set(pictures) & set(commands)) >= 0.8 * len(pictures)  # a busy planner may drop some
    assert all(0 < message.publish_time <= message.log_time for _, message in found)
    assert all(schema.encoding == "ros2msg" and schema.data for schema in summary.schemas.values())


def test_every_message_is_read_by_rosbags_with_the_definitions_of_the_file(drive):
    with AnyReader([drive[0]]) as reader:
        kinds = {connection.topic: connection for connection in reader.connections}
        assert kinds[CAMERA].ext.offered_qos_profiles[0].reliability.name == "RELIABLE"
        futures = 0
        for connection, _, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            if connection.topic == f"{ROOT}/planner/imagined":
                futures += 1
                assert message.candidates == 16 and len(message.returns) == 16
        assert futures > 0


@pytest.fixture
def publisher_node():
    domain = graph.fresh_domain_id()
    with graph.rclpy_context(domain) as context:
        node = rclpy.create_node("publisher", context=context)
        yield domain, node
        node.destroy_node()


def test_late_topics_are_heard_whatever_they_offer_and_sigterm_ends_with_a_whole_file(publisher_node, tmp_path):
    domain, node = publisher_node
    topics = ["/early", "/latched", "/effort", "/unknown"]
    with graph.start(
        "wm_planner", "record", "--output", str(tmp_path / "a.mcap"), "--topics", *topics, domain_id=domain
    ) as recorder:
        early = node.create_publisher(Clock, "/early", QoSProfile(depth=10))
        recorder.wait_for_output("recording /early", START_S)
        latched = node.create_publisher(
            String, "/latched", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        )
        latched.publish(String(data="before anybody listened"))
        effort = node.create_publisher(
            String, "/effort", QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        )
        recorder.wait_for_output("recording /effort", START_S)
        recorder.wait_for_output("recording /latched", START_S)
        deadline_s = time.monotonic() + START_S
        while early.get_subscription_count() + effort.get_subscription_count() < 2:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        for _ in range(20):
            early.publish(Clock())
            effort.publish(String(data="x"))
            time.sleep(0.05)
        recorder.process.send_signal(signal.SIGTERM)
        assert recorder.wait(START_S) == 0, recorder.output()
    with AnyReader([tmp_path / "a.mcap"]) as reader:
        counts = {connection.topic: connection.msgcount for connection in reader.connections}
    assert counts["/latched"] == 1
    assert counts["/early"] == 20
    assert counts["/effort"] > 0
    assert "/unknown" not in counts


def test_without_a_message_there_is_one_line_and_no_file(tmp_path):
    with graph.start(
        "wm_planner", "record", "--output", str(tmp_path / "a.mcap"), domain_id=graph.fresh_domain_id()
    ) as recorder:
        deadline_s = time.monotonic() + START_S
        while not (tmp_path / "a.mcap.part").exists():
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        time.sleep(0.5)
        assert recorder.stop(START_S) == 1
        assert "record: no message came" in recorder.output() and "Traceback" not in recorder.output()
    assert list(tmp_path.iterdir()) == []

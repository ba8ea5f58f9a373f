"""wm_sim's bridge on a real graph: what a CARLA bridge sends, as it sends it."""

import math

import bridge_probe
import numpy as np
import pytest
from bridge_probe import EGO, LATCHED_TOPICS, TOPICS, bridge_and_probe, stamp_ns
from bridge_table import STEPS_NS
from carla_msgs.msg import CarlaLaneInvasionEvent
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from wm_bundle.processes.ros_distribution import is_humble
from wm_sim.carracing.world import CarRacingWorld

EVENTS = (EGO + "collision", EGO + "lane_invasion")
ORDER = [topic for topic in TOPICS if topic not in LATCHED_TOPICS and topic not in EVENTS]
STAMPED = [topic for topic in ORDER if topic not in ("/carla/status", EGO + "speedometer")]
LOCKSTEP = {"synchronous_mode_wait_for_vehicle_control_command": True, "real_time_factor": 0, "wait_for_driver": 20}


@pytest.fixture(scope="module")
def driven():
    """The probe after two whole episodes of the car going straight on, off the road and off the field."""
    with bridge_and_probe(**LOCKSTEP, seed=0, episodes=2) as (process, probe):
        publishers = {}
        probe.answer = lambda msg: probe.send(throttle=0.4)
        probe.wait_for(lambda: probe.images())
        for topic in TOPICS:
            publishers[topic] = probe.node.get_publishers_info_by_topic(topic)
        code = None
        while code is None:
            probe.spin(0.2)
            code = process.process.poll()
        probe.spin(0.5)
        probe.publishers, probe.code, probe.output = publishers, code, process.output()
        yield probe


def test_topics_have_the_bridges_types_and_quality_of_service(driven):
    for topic, kind in TOPICS.items():
        (endpoint,) = driven.publishers[topic]
        assert endpoint.topic_type == f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}", topic
        assert endpoint.qos_profile.reliability == ReliabilityPolicy.RELIABLE, topic
        latched = topic in LATCHED_TOPICS
        expected = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        assert endpoint.qos_profile.durability == expected, topic


def test_frames_and_encodings(driven):
    image = driven.images()[3]
    assert (image.encoding, image.width, image.height, image.step) == ("bgra8", 96, 96, 4 * 96)
    assert len(image.data) == 4 * 96 * 96
    info = driven.of("rgb_front/camera_info")[3]
    assert info.header == image.header and image.header.frame_id == "ego_vehicle/rgb_front"
    # 90 degrees: 96 / (2 * tan(45 degrees)) = 48
    assert info.k[0] == info.k[4] == pytest.approx(48.0)
    assert (info.distortion_model, list(info.d)) == ("plumb_bob", [0.0] * 5)
    assert driven.of("vehicle_status")[0].header.frame_id == "map"
    odometry = driven.of("odometry")[0]
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("map", "ego_vehicle")
    assert not any(odometry.pose.covariance) and not any(odometry.twist.covariance)
    assert driven.of("collision")[0].header.frame_id == "ego_vehicle/collision"
    assert driven.of("vehicle_info")[0].rolename == "ego_vehicle"
    assert driven.of("/carla/world_info")[0].map_name == "CarRacing-v3"


def test_every_tick_has_each_message_once_with_one_stamp(driven):
    ticks = {}
    for topic in STAMPED:
        for msg in driven.of(topic):
            ticks.setdefault(stamp_ns(msg), []).append(topic)
    assert len(ticks) > 50
    assert all(topics == STAMPED for topics in ticks.values())
    assert [msg.frame for msg in driven.of("/carla/status")] == list(range(1, len(ticks) + 1))
    assert len(driven.of("speedometer")) == len(ticks)


@pytest.mark.skipif(is_humble(), reason="this ROS 2's rclpy does not tell when a message was sent")
def test_order_of_sending_within_a_tick():
    with bridge_and_probe(**LOCKSTEP, autopilot=True, seed=0) as (_, probe):
        sent = []
        for topic in ORDER:
            probe.node.create_subscription(
                TOPICS[topic],
                topic,
                lambda msg, info, topic=topic: sent.append((info["source_timestamp"], topic)),
                bridge_probe.RELIABLE,
            )
        probe.answer = lambda msg: probe.send()
        probe.wait_for(lambda: len(probe.images()) > 30)
        probe.spin(0.3)
    topics = [topic for _, topic in sorted(sent)]
    begin = topics.index("/carla/status", 3 * len(ORDER))  # until then some subscriptions may not have been connected
    for k in range(begin, begin + 20 * len(ORDER), len(ORDER)):
        assert topics[k : k + len(ORDER)] == ORDER


def test_clock_is_monotonic_and_jumps_by_a_second_between_episodes(driven):
    clocks = [stamp_ns(msg) for msg in driven.of("/clock")]
    ends = [stamp_ns(msg) for msg in driven.of("step_result") if msg.terminated or msg.truncated]
    steps = {before: after - before for before, after in zip(clocks, clocks[1:], strict=False)}
    assert len(ends) == 2
    assert {step for before, step in steps.items() if before not in ends} == STEPS_NS
    assert abs(steps[ends[0]] - 1_000_000_000) <= 1
    assert clocks[-1] == ends[1]


def test_status_odometry_and_speedometer_describe_one_motion(driven):
    moving = 0
    for status, odometry, speed in zip(
        driven.of("vehicle_status"), driven.of("odometry"), driven.of("speedometer"), strict=True
    ):
        twist = odometry.twist.twist.linear
        assert status.velocity == pytest.approx(math.hypot(twist.x, twist.y), rel=1e-5, abs=1e-5)
        assert speed.data == pytest.approx(twist.x, rel=1e-5, abs=1e-5)
        assert status.orientation == odometry.pose.pose.orientation
        moving += speed.data > 10.0
    assert moving > 20
    assert driven.of("vehicle_status")[10].control.throttle == pytest.approx(0.4)


def test_leaving_road_and_field_are_events(driven):
    invasions = driven.of("lane_invasion")
    assert invasions and all(
        list(msg.crossed_lane_markings) == [CarlaLaneInvasionEvent.LANE_MARKING_SOLID] for msg in invasions
    )
    assert [stamp_ns(msg) for msg in driven.of("collision")] == [
        stamp_ns(msg) for msg in driven.of("step_result") if msg.terminated
    ]
    last = driven.of("step_result")[-1]
    assert last.reward < -90.0 and last.wheels_off_road == 4


def test_ends_with_code_0_and_a_line_for_each_episode(driven):
    assert driven.code == 0
    lines = [line for line in driven.output.splitlines() if line.startswith("episode ")]
    assert [line.split(",")[0] for line in lines] == ["episode 1: seed 0", "episode 2: seed 1"]
    assert all("left the field" in line for line in lines)
    assert "Traceback" not in driven.output


def test_the_first_image_is_carracings_own(driven):
    world = CarRacingWorld(0.08)
    world.reset(0)
    pixels = np.frombuffer(driven.images()[0].data, np.uint8).reshape(96, 96, 4)
    np.testing.assert_array_equal(pixels[..., 2::-1], world.image())
    assert (pixels[..., 3] == 255).all()


def test_another_image_size_and_role_name():
    with bridge_and_probe(role_name="hero", image_width=160, image_height=120, real_time_factor=0) as (_, probe):
        images, infos = [], []
        base = "/carla/hero/rgb_front/"
        probe.node.create_subscription(bridge_probe.Image, base + "image", images.append, 10)
        probe.node.create_subscription(bridge_probe.CameraInfo, base + "camera_info", infos.append, 10)
        probe.wait_for(lambda: images and infos)
        assert (images[0].width, images[0].height, images[0].step, len(images[0].data)) == (160, 120, 640, 76800)
        assert images[0].header.frame_id == "hero/rgb_front"
        # 160 / (2 * tan(45 degrees)) = 80
        assert (infos[0].width, infos[0].height, infos[0].k[0]) == (160, 120, pytest.approx(80.0))

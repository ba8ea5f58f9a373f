"""wm_sim beside the table of the CARLA bridge (bridge_table), message by message on a live graph."""

import math

import numpy as np
import pytest
from bridge_listener import LATCHED, VOLATILE, check_tick, driven_bridge, message_type, stamp_ns
from bridge_table import (
    CAMERA_SIZE,
    CAMERAS,
    COMMAND_WAIT_S,
    EGO,
    FOV_DEGREES,
    ONCE,
    PUBLISHED,
    SENSORS,
    SUBSCRIBED,
    TF,
    TF_MESSAGE_HASH,
    TF_PUBLISHERS,
)
from drawn_track import covered, drawn_edge, project
from geometry_msgs.msg import Pose, PoseWithCovarianceStamped, Twist
from nav_msgs.msg import Path
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from wm_bundle.processes.ros_distribution import is_humble
from wm_sim.carracing.world import CarRacingWorld

pytestmark = pytest.mark.skipif(is_humble(), reason="this ROS 2's rclpy does not tell when a message was sent")

SEED = 3
TICKS = 40  # the car goes straight on and leaves the road


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """A Listener on a graph with the bridge, after TICKS ticks; the bridge stands and waits for its next command."""
    with driven_bridge(tmp_path_factory.mktemp("spawn"), SEED, TICKS) as listener:
        yield listener


def test_topics_have_the_bridges_types_and_quality_of_service_both_ways(driven):
    for rows, endpoints_of in (
        (PUBLISHED, driven.node.get_publishers_info_by_topic),
        (SUBSCRIBED, driven.node.get_subscriptions_info_by_topic),
    ):
        for row in rows:
            bridge = [end for end in endpoints_of(row.topic) if end.node_name == "carla_ros_bridge"]
            assert {end.topic_type for end in bridge} == {row.type}, row.topic
            durability = DurabilityPolicy.TRANSIENT_LOCAL if row.latched else DurabilityPolicy.VOLATILE
            for end in bridge:
                assert end.qos_profile.reliability == ReliabilityPolicy.RELIABLE, row.topic
                assert end.qos_profile.durability == durability, row.topic


def test_tf_has_the_real_type_hash_and_a_publisher_for_each_sensor(driven):
    publishers = driven.node.get_publishers_info_by_topic(TF)
    assert {str(end.topic_type_hash) for end in publishers} == {TF_MESSAGE_HASH}
    assert len(publishers) == TF_PUBLISHERS == 8  # four cameras, imu, two events, the car


def test_every_message_is_in_its_frame(driven):
    for row in [row for row in PUBLISHED if row.frame]:
        frames = {msg.header.frame_id for msg in driven.of(row.topic)}
        assert frames == ({row.frame} if frames or not row.event else set()), row.topic
    assert {msg.child_frame_id for msg in driven.of(f"{EGO}/odometry")} == {"ego_vehicle"}
    assert {marker.header.frame_id for msg in driven.of("/carla/markers") for marker in msg.markers} == {"map"}
    parents = {
        transform.child_frame_id: transform.header.frame_id for msg in driven.of(TF) for transform in msg.transforms
    }
    events = {row.transform for row in SENSORS if row.event}
    assert {child: parent for child, parent in parents.items() if child not in events} == {
        "ego_vehicle": "map",
        "ego_vehicle/imu": "ego_vehicle",
        **{f"ego_vehicle/{name}": "ego_vehicle" for name in CAMERAS},
    }
    assert parents["ego_vehicle/lane_invasion"] == "ego_vehicle"


def test_pictures_and_camera_info_are_as_the_bridge_makes_them(driven):
    width, height = CAMERA_SIZE
    # 160 / (2 * tan(50 degrees)) = 67.13
    focal = width / (2 * math.tan(math.radians(FOV_DEGREES / 2)))
    for name in CAMERAS:
        image, info = driven.of(f"{EGO}/{name}/image")[5], driven.of(f"{EGO}/{name}/camera_info")[5]
        assert (image.encoding, image.width, image.height, image.step) == ("bgra8", width, height, 4 * width)
        assert len(image.data) == 4 * width * height and not image.is_bigendian
        assert set(image.data[3::4]) == {255}
        assert info.header == image.header and (info.width, info.height) == (width, height)
        assert (info.distortion_model, list(info.d)) == ("plumb_bob", [0.0] * 5)
        assert list(info.k) == pytest.approx([focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1])
        assert list(info.p) == pytest.approx([focal, 0, width / 2, 0, 0, focal, height / 2, 0, 0, 0, 1, 0])
        assert list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_each_tick_sends_every_message_once_in_the_bridges_order_with_one_stamp(driven):
    events = [check_tick(tick) for tick in driven.ticks(TICKS - 1)]
    assert sum(f"{EGO}/lane_invasion" in of_tick for of_tick in events) >= 1


def test_status_repeats_the_applied_command_without_a_header_of_its_own(driven):
    status = driven.of(f"{EGO}/vehicle_status")[8]
    assert status.control.throttle == pytest.approx(0.3)
    assert (status.control.header.frame_id, status.control.header.stamp.sec) == ("", 0)


def test_the_imu_measures_gravity_and_the_acceleration_along_the_car(driven):
    imus, speeds = driven.of(f"{EGO}/imu"), driven.of(f"{EGO}/speedometer")
    assert {msg.linear_acceleration.z for msg in imus} == {9.81}
    # The car goes straight on: the change of its forward speed over a tick of 0.08 s.
    for k in range(3, 9):
        change = (speeds[k].data - speeds[k - 1].data) / 0.08
        assert imus[k].linear_acceleration.x == pytest.approx(change, abs=0.3)


def test_waypoints_are_the_centre_line_a_metre_apart_and_closed(driven):
    (path,) = driven.of(f"{EGO}/waypoints")
    world = CarRacingWorld(0.08)
    world.reset(SEED)
    points = np.array([(pose.pose.position.x, pose.pose.position.y) for pose in path.poses])
    np.testing.assert_allclose(points[0], world.centre_line()[0], atol=1e-6)
    np.testing.assert_allclose(points[-1], points[0], atol=1e-6)
    gaps = np.hypot(*np.diff(points, axis=0).T)
    assert gaps.max() < 1.01 and np.median(gaps) > 0.95
    yaw = 2 * math.atan2(path.poses[0].pose.orientation.z, path.poses[0].pose.orientation.w)
    assert math.remainder(yaw - world.state().yaw, 2 * math.pi) == pytest.approx(0.0, abs=0.1)


def test_points_of_the_track_are_drawn_where_tf_and_camera_info_say_in_every_camera(driven):
    world = CarRacingWorld(0.08)
    world.reset(SEED)
    tiles = np.array([polygon for polygon, _ in world._env.road_poly])
    begins, ends = (np.concatenate([tiles[:, a], tiles[:, b]]) for a, b in ((1, 3), (2, 0)))
    middles = (begins + ends) / 2
    shows = ~covered(middles, tiles)
    frames = {(stamp_ns(msg), msg.transforms[0].child_frame_id): msg.transforms[0].transform for msg in driven.of(TF)}
    for name in CAMERAS:
        found = []
        for image in driven.of(f"{EGO}/{name}/image")[:TICKS:4]:
            picture = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 4)[..., :3]
            pixel = projection(frames, stamp_ns(image), name, driven.of(f"{EGO}/{name}/camera_info")[0].k)
            car = frames[stamp_ns(image), "ego_vehicle"].translation
            near = shows & (np.hypot(*(middles - (car.x, car.y)).T) < 40.0)
            for begin, end in zip(begins[near], ends[near], strict=True):
                here, first, last = (pixel(share * end + (1 - share) * begin) for share in (0.5, 0.25, 0.75))
                if first is None or last is None or not (14 < here[0] < 145 and 14 < here[1] < 105):
                    continue
                found.append(drawn_edge(picture, here, 2 * (last - first)))
        found = np.array([distance for distance in found if distance is not None])
        assert len(found) >= 5, name
        assert np.abs(found).max() < 0.5, name


def projection(frames, stamp, name, k):
    """A function from a point of the ground to its pixel, by what was sent with that stamp."""
    car, camera = frames[stamp, "ego_vehicle"], frames[stamp, f"ego_vehicle/{name}"]

    vectors = [(part.x, part.y, part.z) for part in (car.translation, camera.translation)]
    turns = [(part.x, part.y, part.z, part.w) for part in (car.rotation, camera.rotation)]
    return lambda point: project((*point, 0.0), vectors[0], turns[0], vectors[1], turns[1], k)


def test_who_joins_late_gets_what_is_latched_if_it_asks_for_it_and_nothing_otherwise(driven):
    got, volatile = {}, []
    for row in ONCE:
        kind = message_type(row.type)
        keep = lambda msg, topic=row.topic: got.setdefault(topic, msg)  # noqa: E731
        driven.node.create_subscription(kind, row.topic, keep, LATCHED)
        driven.node.create_subscription(kind, row.topic, volatile.append, VOLATILE)
    driven.wait_for(lambda: len(got) == len(ONCE))
    assert isinstance(got[f"{EGO}/waypoints"], Path) and volatile == []


def test_a_tick_without_a_command_waits_as_long_as_the_bridge_does(driven):
    seen = len(driven.of("/clock"))
    driven.wait_for(lambda: len(driven.of("/clock")) >= seen + 4)
    sent_ns = [sent for sent, topic, _ in driven.log if topic == "/clock"][-3:]
    # Two waits; the machine may add to them.
    assert (sent_ns[2] - sent_ns[0]) * 1e-9 > 2 * COMMAND_WAIT_S - 0.2


def test_the_car_can_be_placed_and_pushed(driven):
    places = driven.node.create_publisher(Pose, f"{EGO}/control/set_transform", 10)
    initial = driven.node.create_publisher(PoseWithCovarianceStamped, "/initialpose", 10)
    pushes = driven.node.create_publisher(Twist, f"{EGO}/control/set_target_velocity", 10)
    driven.wait_for(lambda: all(end.get_subscription_count() for end in (places, initial, pushes)))

    def after(publisher, msg):
        """The odometry of the second tick after a message: the first may have been on its way."""
        seen = len(driven.of(f"{EGO}/odometry"))
        publisher.publish(msg)
        driven.wait_for(lambda: len(driven.of(f"{EGO}/odometry")) >= seen + 2)
        return driven.of(f"{EGO}/odometry")[seen + 1]

    stop, pose = Twist(), Pose()
    after(pushes, stop)
    pose.position.x, pose.position.y = 30.0, -40.0
    pose.orientation.z, pose.orientation.w = math.sin(0.5), math.cos(0.5)  # yaw 1 rad
    placed = after(places, pose)
    assert (placed.pose.pose.position.x, placed.pose.pose.position.y) == pytest.approx((30.0, -40.0), abs=3.0)
    assert 2 * math.atan2(placed.pose.pose.orientation.z, placed.pose.pose.orientation.w) == pytest.approx(1.0, abs=0.2)
    msg = PoseWithCovarianceStamped()
    msg.pose.pose.position.x = -50.0
    placed = after(initial, msg)
    assert placed.pose.pose.position.x == pytest.approx(-50.0, abs=3.0)
    msg.pose.pose.position.x = math.nan
    after(initial, msg)
    assert "ignored /initialpose" in driven.process.output()
    push = Twist()
    push.linear.x = 12.0
    assert 6.0 < after(pushes, push).twist.twist.linear.x < 40.0

"""wm_sim's world `traffic` beside the table of the CARLA bridge, with other cars, and a collision with one of them."""

import math

import numpy as np
import pytest
from bridge_listener import check_tick, driven_bridge, stamp_ns
from bridge_table import CAMERAS, EGO, PUBLISHED, TF
from drawn_track import project
from geometry_msgs.msg import Pose, Twist
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from wm_bundle.processes.ros_distribution import is_humble
from wm_sim.traffic.placing import COLOURS

pytestmark = pytest.mark.skipif(is_humble(), reason="this ROS 2's rclpy does not tell when a message was sent")

SEED = 6
TICKS = 20
OWN_ID, FIRST_ID = 1, 100
SHADES = {(1, 0): 0.85, (-1, 0): 0.85, (0, 1): 0.65, (0, -1): 0.65}  # of the ends and sides of a box


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """A Listener after TICKS ticks in traffic; the bridge waits for its next command. Keeps `results` too."""
    with driven_bridge(tmp_path_factory.mktemp("spawn"), SEED, TICKS, results=True, world="traffic") as listener:
        yield listener


def test_topics_frames_and_the_order_of_a_tick_are_the_bridges_here_too(driven):
    for row in PUBLISHED:
        bridge = [
            end for end in driven.node.get_publishers_info_by_topic(row.topic) if end.node_name == "carla_ros_bridge"
        ]
        durability = DurabilityPolicy.TRANSIENT_LOCAL if row.latched else DurabilityPolicy.VOLATILE
        assert {(end.topic_type, end.qos_profile.reliability, end.qos_profile.durability) for end in bridge} == {
            (row.type, ReliabilityPolicy.RELIABLE, durability)
        }, row.topic
        frames = {msg.header.frame_id for msg in driven.of(row.topic) if row.frame}
        assert frames <= {row.frame}, row.topic
    for tick in driven.ticks(TICKS - 1):
        check_tick(tick)
    (info,) = driven.of("/carla/world_info")
    assert info.map_name == "traffic"


def test_markers_are_the_car_and_the_others_with_ids_of_their_own(driven):
    markers = driven.of("/carla/markers")[3].markers
    assert [marker.id for marker in markers][0] == OWN_ID and min(marker.id for marker in markers[1:]) >= FIRST_ID
    assert len({marker.id for marker in markers}) == len(markers) > 5
    odometry = driven.of(f"{EGO}/odometry")[3].pose.pose.position
    assert (markers[0].pose.position.x, markers[0].pose.position.y) == (odometry.x, odometry.y)


def nearest_face(marker, camera):
    """The middle of a box's lower part on the face that looks most at a camera (3,), and the shade of that face."""
    place, yaw = marker.pose.position, yaw_of(marker)
    faces = []
    for (ahead, left), shade in SHADES.items():
        normal = np.array([ahead * math.cos(yaw) - left * math.sin(yaw), ahead * math.sin(yaw) + left * math.cos(yaw)])
        half = marker.scale.x / 2 if ahead else marker.scale.y / 2
        middle = np.array([place.x, place.y]) + half * normal
        towards = camera[:2] - middle
        faces.append((float(normal @ towards / np.hypot(*towards)), (*middle, 0.25 * marker.scale.z), shade))
    return max(faces)[1:]


def yaw_of(marker) -> float:
    return 2 * math.atan2(marker.pose.orientation.z, marker.pose.orientation.w)


def test_a_car_near_by_shows_where_its_marker_tf_and_camera_info_say(driven):
    frames = {(stamp_ns(msg), msg.transforms[0].child_frame_id): msg.transforms[0].transform for msg in driven.of(TF)}
    markers = {stamp_ns(msg): msg.markers for msg in driven.of("/carla/markers")}
    looked_at = 0
    for name in CAMERAS:
        k = driven.of(f"{EGO}/{name}/camera_info")[0].k
        for image in driven.of(f"{EGO}/{name}/image")[:TICKS:3]:
            stamp = stamp_ns(image)
            car, camera = frames[stamp, "ego_vehicle"], frames[stamp, f"ego_vehicle/{name}"]
            eye = np.array([car.translation.x, car.translation.y, camera.translation.z])
            places = [(part.x, part.y, part.z) for part in (car.translation, camera.translation)]
            turns = [(part.x, part.y, part.z, part.w) for part in (car.rotation, camera.rotation)]
            near = sorted(
                markers[stamp][1:], key=lambda m: math.hypot(*(eye[:2] - (m.pose.position.x, m.pose.position.y)))
            )
            for marker in near[:1]:  # others may be hidden behind it
                point, shade = nearest_face(marker, eye)
                pixel = project(point, places[0], turns[0], places[1], turns[1], k)
                if pixel is None or not (4 < pixel[0] < 155 and 4 < pixel[1] < 115):
                    continue
                picture = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 4)
                found = picture[round(pixel[1]), round(pixel[0]), 2::-1].astype(float)
                expected = shade * np.array(COLOURS, float)
                assert np.abs(expected - found).max(axis=1).min() < 3.0, (name, marker.id, pixel, found)
                looked_at += 1
    assert looked_at >= 3


def test_running_into_another_car_is_one_collision_event_with_its_id_in_the_tick_that_ends_the_episode(driven):
    pose, push = (
        driven.node.create_publisher(kind, f"{EGO}/control/{name}", 10)
        for kind, name in ((Pose, "set_transform"), (Twist, "set_target_velocity"))
    )
    driven.wait_for(lambda: pose.get_subscription_count() and push.get_subscription_count())
    driven.spin(0.2)  # takes in what came during the other tests; the bridge makes a tick in each second
    seen = len(driven.of("/carla/markers"))
    driven.wait_for(lambda: len(driven.of("/carla/markers")) > seen)
    others = driven.of("/carla/markers")[-1].markers[1:]

    def behind_of(marker):
        """Where the car is set: the gap between the two is 4 m, so the road is as good as straight there."""
        yaw = yaw_of(marker)
        return marker.pose.position.x - 9.0 * math.cos(yaw), marker.pose.position.y - 9.0 * math.sin(yaw)

    def free(marker):
        """Whether nobody is near that place."""
        behind = behind_of(marker)
        return all(
            math.dist(behind, (other.pose.position.x, other.pose.position.y)) > 20.0
            for other in others
            if other is not marker
        )

    target = next(marker for marker in others if free(marker))
    place, yaw = Pose(orientation=target.pose.orientation), yaw_of(target)
    place.position.x, place.position.y = behind_of(target)
    pose.publish(place)
    fast = Twist()
    fast.linear.x = 38.0
    push.publish(fast)
    driven.throttle = 1.0  # answers from the next pictures on; until then the bridge waits 1 s for each tick
    driven.wait_for(lambda: any(result.terminated for result in driven.results))
    driven.wait_for(lambda: driven.of(f"{EGO}/collision"))
    driven.spin(0.3)  # a second one would come now
    (event,) = driven.of(f"{EGO}/collision")
    (last,) = [result for result in driven.results if result.terminated]
    assert stamp_ns(event) == stamp_ns(last) and last.reward < -90.0
    assert event.other_actor_id == target.id and event.header.frame_id == "ego_vehicle/collision"
    # The impulse is against the motion; the bridge leaves it in CARLA's axes, where y is negated.
    impulse = np.array([event.normal_impulse.x, -event.normal_impulse.y])
    heading = np.array([math.cos(yaw), math.sin(yaw)])
    assert impulse @ heading < -0.9 * np.hypot(*impulse) and np.hypot(*impulse) > 1500.0

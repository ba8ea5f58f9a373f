"""Which topics a recording takes, and with which quality of service it hears them."""

import pytest
from rclpy.qos import DurabilityPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible
from wm_tools.record.topics import is_source, is_wanted, matching_qos

CAR = "/carla/ego_vehicle"
RELIABLE = QoSProfile(depth=10)
EFFORT = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.mark.parametrize(
    "topic, kind, wanted",
    [
        (f"{CAR}/rgb_front/image", "sensor_msgs/msg/Image", True),
        (f"{CAR}/rear/image/compressed", "sensor_msgs/msg/CompressedImage", True),
        (f"{CAR}/rgb_front/camera_info", "sensor_msgs/msg/CameraInfo", True),
        (f"{CAR}/planner/future", "sensor_msgs/msg/Image", True),
        (f"{CAR}/planner/candidates", "visualization_msgs/msg/MarkerArray", False),
        (f"{CAR}/step_result", "wm_msgs/msg/StepResult", True),
        (f"{CAR}/waypoints", "nav_msgs/msg/Path", True),
        (f"{CAR}/speed_limit", "std_msgs/msg/Float32", True),
        (f"{CAR}/vehicle_info", "carla_msgs/msg/CarlaEgoVehicleInfo", False),
        ("/carla/other/rgb_front/image", "sensor_msgs/msg/Image", False),
        ("/camera/image_raw", "sensor_msgs/msg/Image", False),
        ("/tf_static", "tf2_msgs/msg/TFMessage", True),
        ("/clock", "rosgraph_msgs/msg/Clock", True),
        ("/rosout", "rcl_interfaces/msg/Log", False),
    ],
)
def test_a_drives_topics_are_recorded_and_no_others(topic, kind, wanted):
    assert is_wanted(topic, kind, "ego_vehicle", ()) == wanted


def test_named_topics_are_recorded_and_no_others():
    assert is_wanted("/camera/image_raw", "sensor_msgs/msg/Image", "ego_vehicle", ["/camera/image_raw"])
    assert not is_wanted("/clock", "rosgraph_msgs/msg/Clock", "ego_vehicle", ["/camera/image_raw"])


@pytest.mark.parametrize("chosen", [(), ("/clock",)])
def test_further_topics_are_recorded_beside_the_others(chosen):
    wanted = [is_wanted(name, "any", "ego_vehicle", chosen, ("/my/sensor",)) for name in ("/clock", "/my/sensor", "/x")]
    assert wanted == [True, True, False]


def test_the_planner_and_the_clock_do_not_keep_a_drive_going():
    assert is_source(f"{CAR}/rgb_front/image", "ego_vehicle")
    assert not any(
        is_source(topic, "ego_vehicle")
        for topic in (f"{CAR}/planner/status", f"{CAR}/vehicle_control_cmd", "/clock", "/tf")
    )


@pytest.mark.parametrize("offered", [[RELIABLE], [EFFORT], [LATCHED], [RELIABLE, EFFORT], [LATCHED, RELIABLE, EFFORT]])
def test_every_publisher_is_heard(offered):
    ours = matching_qos(offered)
    assert all(qos_check_compatible(qos, ours)[0] != QoSCompatibility.ERROR for qos in offered)


def test_as_much_is_asked_for_as_all_publishers_offer():
    assert matching_qos([RELIABLE]).reliability == ReliabilityPolicy.RELIABLE
    assert matching_qos([LATCHED]).durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert matching_qos([LATCHED, RELIABLE]).durability == DurabilityPolicy.VOLATILE

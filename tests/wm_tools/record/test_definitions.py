"""What a recording says about its types can be read without ROS."""

import pytest
import yaml
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.interfaces import QosReliability
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from wm_tools.common.errors import RecordError
from wm_tools.record.definitions import definition, message_class, qos_text


@pytest.mark.parametrize(
    "kind",
    [
        "sensor_msgs/msg/Image",
        "wm_msgs/msg/ImaginedRollouts",
        "carla_msgs/msg/CarlaEgoVehicleStatus",
        "lifecycle_msgs/msg/TransitionEvent",
    ],
)
def test_a_definition_is_whole_and_has_the_hash_of_the_installed_type(kind):
    text, type_hash = definition(kind)
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(text, kind))  # raises where something is missing
    assert type_hash == store.hash_rihs01(kind)
    assert type_hash.startswith("RIHS01_")
    assert message_class(kind).__name__ == kind.rpartition("/")[2]


@pytest.mark.parametrize("kind", ["no_msgs/msg/Nothing", "std_msgs/msg/Nothing", "Nothing"])
def test_a_type_that_is_not_installed_is_named(kind):
    with pytest.raises(RecordError, match=kind):
        message_class(kind)


def test_the_quality_of_service_is_written_as_rosbag2_reads_it():
    best_effort = QoSProfile(depth=7, reliability=ReliabilityPolicy.BEST_EFFORT)
    text = qos_text([best_effort, QoSProfile(depth=1)])
    assert all(
        type(profile[policy]) is int
        for profile in yaml.safe_load(text)  # names are only read since Jazzy
        for policy in ("history", "reliability", "durability", "liveliness")
    )
    read = parse_qos(text)
    assert [(qos.depth, qos.reliability) for qos in read] == [
        (7, QosReliability.BEST_EFFORT),
        (1, QosReliability.RELIABLE),
    ]

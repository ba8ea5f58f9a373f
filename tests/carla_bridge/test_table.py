"""The real bridge beside ros/bridge_table, message by message: every row that says it was seen, and how cars act."""

import contextlib
import json
import math
import time

import carla_rig
import graph
import pytest
from bridge_listener import VOLATILE, Listener, check_tick, stamp_ns
from bridge_table import (
    CAMERA_SIZE,
    EGO,
    PUBLISHED,
    SENSORS,
    SPAWN,
    STEPS_NS,
    SUBSCRIBED,
    TF,
    TF_MESSAGE_HASH,
    TF_PUBLISHERS,
)
from carla_msgs.msg import CarlaEgoVehicleControl
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

SETTINGS = {
    "use_sim_time": "true",
    "town": "Town01",
    "fixed_delta_seconds": "0.08",
    "synchronous_mode_wait_for_vehicle_control_command": "true",
    "ego_vehicle_role_name": "[ego_vehicle]",
    "register_all_sensors": "false",
    "timeout": "30.0",
}
TICKS = 30


def program(package: str, name: str, node: str, domain_id: int, folder=None, **parameters: str) -> carla_rig.Program:
    words = [word for key, value in parameters.items() for word in ("-p", f"{key}:={value}")]
    command = ["ros2", "run", package, name, "--ros-args", "-r", f"__node:={node}", *words]
    return carla_rig.Program(command, domain_id, folder)


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """A Listener that answers the pictures of the real bridge, after TICKS ticks and a collision; `bridge` is its
    process."""
    folder, domain_id = tmp_path_factory.mktemp("table"), graph.fresh_domain_id()
    file = folder / "spawn.json"
    file.write_text(json.dumps(SPAWN))
    with contextlib.ExitStack() as stack:
        listener = Listener(stack.enter_context(graph.rclpy_context(domain_id)))
        stack.callback(listener.close)
        listener.throttle = 0.6
        bridge = listener.bridge = stack.enter_context(
            program("carla_ros_bridge", "bridge", "carla_ros_bridge", domain_id, folder, **SETTINGS)
        )
        bridge.wait_for_output("Created", carla_rig.START_S)
        listener.spin(2.0)  # it knows this listener before there is a car
        for name, parameters in (
            ("set_initial_pose", {}),
            ("carla_spawn_objects", {"objects_definition_file": str(file)}),
        ):
            stack.enter_context(program("carla_spawn_objects", name, name, domain_id, **parameters))
        listener.wait_for(lambda: listener.has_ticks(TICKS), carla_rig.START_S)
        bridge.order("collide")
        listener.wait_for(lambda: listener.of(f"{EGO}/collision"))
        crossing = time.monotonic() + 40.0
        while not listener.of(f"{EGO}/lane_invasion"):  # straight on, the road bends away
            assert time.monotonic() < crossing
            listener.spin(0.2)
        listener.throttle = None
        listener.spin(2.0)  # what is queued; a topic gives one message at a time, and /tf has many
        yield listener


def test_every_row_that_was_seen_has_its_type_and_quality_of_service(driven):
    for rows, ends_of in (
        (PUBLISHED, driven.node.get_publishers_info_by_topic),
        (SUBSCRIBED, driven.node.get_subscriptions_info_by_topic),
    ):
        for row in rows:
            ends = [end for end in ends_of(row.topic) if end.node_name == row.node]
            assert bool(ends) == row.seen, row.topic
            durability = DurabilityPolicy.TRANSIENT_LOCAL if row.latched else DurabilityPolicy.VOLATILE
            for end in ends:
                assert end.topic_type == row.type, row.topic
                assert end.qos_profile.reliability == ReliabilityPolicy.RELIABLE, row.topic
                assert end.qos_profile.durability == durability, row.topic


def test_tf_has_a_publisher_for_each_sensor(driven):
    ends = driven.node.get_publishers_info_by_topic(TF)
    assert {str(end.topic_type_hash) for end in ends} == {TF_MESSAGE_HASH} and len(ends) == TF_PUBLISHERS


def test_every_message_is_in_its_frame_and_each_has_come(driven):
    for row in PUBLISHED:
        messages = driven.of(row.topic)
        assert bool(messages) == row.seen, row.topic
        if row.frame and row.seen:
            assert {msg.header.frame_id for msg in messages} == {row.frame}, row.topic
    children = {transform.child_frame_id for msg in driven.of(TF) for transform in msg.transforms}
    assert children == {"ego_vehicle", *(row.transform for row in SENSORS if row.transform)}
    assert (driven.of(f"{EGO}/rgb_front/image")[0].width, driven.of(f"{EGO}/rgb_front/image")[0].height) == CAMERA_SIZE


def test_a_tick_has_the_tables_order_one_stamp_and_carlas_steps(driven):
    whole = driven.whole_ticks()
    assert len(whole) > 0.8 * TICKS
    events = [check_tick(tick, late_events=True) for tick in whole]
    assert {f"{EGO}/collision", f"{EGO}/lane_invasion"} <= set().union(*events)
    stamps = [stamp_ns(tick[1][2]) for tick in whole]
    steps = {later - earlier for earlier, later in zip(stamps, stamps[1:], strict=False)}
    assert {step for step in steps if step < 100_000_000} <= STEPS_NS


def test_the_car_takes_what_it_can_of_a_command_and_the_status_says_all_of_it(driven):
    driven.throttle = None
    pictures = []
    driven.node.create_subscription(
        type(driven.of(f"{EGO}/rgb_rear/image")[0]), f"{EGO}/rgb_rear/image", pictures.append, VOLATILE
    )

    def drive_until(acts, **values):
        """Answer pictures with this command until the status says that such a one ``acts``."""
        for _ in range(20):
            before = len(pictures)
            driven.commands.publish(CarlaEgoVehicleControl(**values))
            driven.wait_for(lambda before=before: len(pictures) > before)
            if acts(driven.of(f"{EGO}/vehicle_status")[-1].control):
                return
        raise AssertionError(driven.of(f"{EGO}/vehicle_status")[-1])

    drive_until(lambda control: (control.steer, control.throttle) == (-3.0, 7.0), steer=-3.0, throttle=7.0)
    assert driven.bridge.car()["speed"] < 40.0
    drive_until(lambda control: math.isnan(control.steer) and control.brake == 1.0, steer=math.nan, brake=1.0)

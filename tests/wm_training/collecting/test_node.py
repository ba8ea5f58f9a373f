"""What the recorder's node listens to."""

import numpy as np
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleStatus
from extra_input import register
from sensor_msgs.msg import Image, Imu
from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.node import CollectNode
from wm_training.collecting.recording import EpisodeRecorder


@pytest.fixture
def make_node():
    rclpy.init()
    made = []

    def make() -> CollectNode:
        made.append(CollectNode(CollectOptions(image_size=8), ["rgb_front"]))
        return made[0]

    yield make
    made[0].destroy_node()
    rclpy.try_shutdown()


def tell(node, tick: int, leaf: str, message) -> None:
    message.header.stamp.nanosec = 80_000_000 * tick
    (heard,) = [one for one in node.subscriptions if one.topic_name == f"/carla/ego_vehicle/{leaf}"]
    heard.callback(message)


def test_a_usual_input_that_is_entered_in_the_registry_is_recorded(make_node, monkeypatch):
    register(monkeypatch, usual=True)
    node, recorder, episodes = make_node(), EpisodeRecorder(2, 80_000_000, {}), []
    node.on_tick = lambda tick: episodes.append(recorder.add(tick))
    node.start(with_steps=False, with_expert=False)
    for tick in (1, 2, 3):
        imu = Imu()
        imu.linear_acceleration.x = tick / 4
        tell(node, tick, "imu", imu)
        tell(node, tick, "vehicle_status", CarlaEgoVehicleStatus(velocity=float(tick)))
        picture = np.zeros((8, 8, 4), np.uint8).tobytes()
        tell(node, tick, "rgb_front/image", Image(height=8, width=8, encoding="bgra8", step=32, data=picture))
    assert episodes[-1].vector.tolist() == [[1.0, 0.25], [2.0, 0.5]]

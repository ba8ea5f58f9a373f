"""What the recorder's node listens to."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleStatus
from extra_input import register
from geometry_msgs.msg import Point, Pose, PoseStamped
from make_episodes import make_episode
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from sensor_msgs.msg import Image, Imu
from std_msgs.msg import Float32
from wm_bundle.vector_inputs import VECTOR_INPUTS
from wm_data.episodes import read_episode, write_episode
from wm_data.routes.following import ROUTE_INPUTS
from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.node import CollectNode
from wm_training.collecting.recording import EpisodeRecorder
from wm_training.collecting.routes import told_of
from wm_training.collecting.signals import SignalLog, checked_meta
from wm_training.errors import CollectError


@pytest.fixture
def make_node():
    rclpy.init()
    made = []

    def make(**options) -> CollectNode:
        made.append(CollectNode(CollectOptions(image_size=8, **options), ["rgb_front"]))
        return made[0]

    yield make
    made[0].destroy_node()
    rclpy.try_shutdown()


def tell(node, tick: int, leaf: str, message) -> None:
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(80_000_000 * tick, 10**9)
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


def driven(node, recorder, ticks=range(1, 62), paths=None, frame="map"):
    """Episodes of a car that drives along x at 5 m/s; ``paths``: the points of a route by the tick with which it
    comes."""
    episodes = []
    node.on_tick = lambda tick: episodes.append(recorder.add(tick))
    node.start(with_steps=False, with_expert=False)
    for tick in ticks:
        if tick in (paths or {}):
            poses = [PoseStamped(pose=Pose(position=Point(x=float(x), y=float(y)))) for x, y in paths[tick]]
            path = PathMessage(poses=poses)
            path.header.frame_id = frame
            tell(node, tick, "waypoints", path)
        odometry = Odometry()
        odometry.header.frame_id, odometry.pose.pose.position.x = "map", 0.4 * tick
        odometry.pose.pose.orientation.w = 1.0
        tell(node, tick, "odometry", odometry)
        tell(node, tick, "vehicle_status", CarlaEgoVehicleStatus(velocity=5.0))
        picture = np.zeros((8, 8, 4), np.uint8).tobytes()
        tell(node, tick, "rgb_front/image", Image(height=8, width=8, encoding="bgra8", step=32, data=picture))
    return [episode for episode in episodes if episode is not None]


def test_the_published_route_is_recorded_in_force_from_its_stamp_on(make_node):
    node = make_node(route="recorded")
    recorder = EpisodeRecorder(60, 80_000_000, told_of(node.routes), node.routes)
    paths = {3: [(-10, 1), (500, 1)], 30: [(-10, -2), (500, -2)], 50: []}
    (episode,) = driven(node, recorder, paths=paths)
    assert [entry["name"] for entry in episode.meta["vector"]] == ["speed", *ROUTE_INPUTS]
    assert episode.meta["route"] == {"source": "recorded", "path": "odometry"}
    offset = episode.told(VECTOR_INPUTS["route_offset"])
    assert np.isnan(offset[:2]).all() and np.isnan(offset[49:]).all()
    np.testing.assert_allclose(offset[2:29], -1.0, atol=1e-5)
    np.testing.assert_allclose(offset[29:49], 2.0, atol=1e-5)
    write_and_read(episode)


def test_in_hindsight_the_route_is_what_was_driven_then(make_node):
    node = make_node(route="hindsight", route_noise=0.0)
    recorder = EpisodeRecorder(60, 80_000_000, told_of(node.routes), node.routes)
    (episode,) = driven(node, recorder)
    ahead = episode.told(VECTOR_INPUTS["route_10m_x"])
    np.testing.assert_allclose(ahead[:34], 10.0, atol=0.05)
    assert np.isnan(ahead[36:]).all()  # 24 m in all


@pytest.mark.parametrize("fault", ["one point", "another frame"])
def test_a_route_that_cannot_be_followed_ends_the_recording(make_node, fault):
    node = make_node(route="recorded")
    recorder = EpisodeRecorder(20, 80_000_000, told_of(node.routes), node.routes)
    if fault == "one point":
        driven(node, recorder, range(1, 5), {1: [(0, 0)]})
        assert "/carla/ego_vehicle/waypoints: a route needs two distinct points" in str(node.failure)
        return
    with pytest.raises(CollectError, match="waypoints is in the frame 'odom', the odometry in 'map': record with"):
        driven(node, recorder, range(1, 30), {1: [(0, 0), (50, 0)]}, frame="odom")


def test_what_a_route_needs_is_waited_for_by_name(make_node):
    node = make_node(route="recorded")
    assert "a publisher of /carla/ego_vehicle/odometry, which --route needs" in node.lacks_for_route
    node.count_publishers = lambda topic: 1
    assert node.lacks_for_route == "a route on /carla/ego_vehicle/waypoints"
    node.routes.hear(PathMessage())
    assert node.lacks_for_route == ""


def write_and_read(episode) -> None:
    with TemporaryDirectory() as folder:
        again = read_episode(write_episode(Path(folder, "episode.npz"), episode))
    np.testing.assert_array_equal(again.vector, episode.vector)


def pushed(node, tick: int, numbers: dict[str, float]) -> None:
    """A tick, with numbers on topics without a stamp just before its picture."""
    for topic, number in numbers.items():
        (heard,) = [one for one in node.subscriptions if one.topic_name == topic]
        heard.callback(Float32(data=number))
    imu = Imu()
    imu.linear_acceleration.y = tick / 4
    tell(node, tick, "imu", imu)
    tell(node, tick, "vehicle_status", CarlaEgoVehicleStatus(velocity=float(tick)))
    picture = np.zeros((8, 8, 4), np.uint8).tobytes()
    tell(node, tick, "rgb_front/image", Image(height=8, width=8, encoding="bgra8", step=32, data=picture))


GAP = "/carla/ego_vehicle/gap"


def test_signals_are_recorded_as_they_hold_and_a_free_one_with_its_definition(make_node, tmp_path):
    (tmp_path / "s.yaml").write_text('battery: {unit: V, source: "std_msgs/Float32 /my/sensor data", factor: 0.5}')
    node = make_node(signals="acceleration_across,gap", signals_file=str(tmp_path / "s.yaml"), signal_gaps="gap")
    assert [entry["name"] for entry in node.signals.told] == ["speed", "acceleration_across", "gap", "battery"]
    assert node.signals.told[2]["gaps"] and node.signals.told[3]["source"].endswith("data factor=0.5")
    assert node.signals.unheard == "/my/sensor"
    ticks = []
    node.on_tick = ticks.append
    node.start(with_steps=False, with_expert=False)
    pushed(node, 1, {})
    assert not ticks and node.signals.lacking == "; the last tick had no battery"
    pushed(node, 2, {"/my/sensor": 24.0})
    pushed(node, 3, {GAP: 30.0})
    pushed(node, 4, {})
    assert node.signals.unheard == "" and node.signals.lacking == ""
    vectors = [list(tick.vector.values()) for tick in ticks]
    np.testing.assert_array_equal(vectors, [[2, 0.5, np.nan, 12], [3, 0.75, 30, 12], [4, 1, 30, 12]])
    for tick in range(5, 12):
        pushed(node, tick, {"/my/sensor": 20.0} if tick == 8 else {})
    # 0.5 s are 6 periods of 0.08 s: the battery's number of tick 2 serves until tick 8, the gap's for a second.
    assert [tick.stamp_ns // 80_000_000 for tick in ticks] == list(range(2, 12))
    assert [list(tick.vector.values())[3] for tick in ticks][-4:] == [10.0] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"signals": "gp"}, "unknown signal gp"),
        ({"signals": "route_5m_x"}, "route_5m_x is of a route, whose columns --route adds"),
        ({"signals_file": "/nowhere.yaml"}, "/nowhere.yaml cannot be read"),
        ({"signals": "gap", "signal_gaps": "speed"}, "--signal-gaps: expected some of --signals other than speed"),
    ],
)
def test_a_signal_that_cannot_be_recorded_is_refused(options, message):
    with pytest.raises(CollectError, match=message):
        SignalLog(CollectOptions(**options), None, "/carla/ego_vehicle")


def test_a_folder_with_other_columns_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    ours = {"vector": [{"name": "speed", "unit": "m/s"}, {"name": "gap", "unit": "m"}]}
    assert checked_meta(tmp_path / "empty", ours) is ours
    write_episode(tmp_path / "episode_000000.npz", make_episode(20))
    with pytest.raises(CollectError, match="has the vector inputs speed, --signals and --route ask for speed, gap"):
        checked_meta(tmp_path, ours)
    assert checked_meta(tmp_path, {"vector": ours["vector"][:1]})

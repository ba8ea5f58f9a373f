"""Bags of every kind are played with the bytes that ROS 2 subscribers read, and what cannot be played is said."""

import pytest
from fixtures_rosbag import CAMERA, VEHICLE, drive, write_bag, write_bare_mcap, write_old_sqlite3, write_ros1_bag
from make_episodes import make_episode
from rclpy.qos import DurabilityPolicy
from rclpy.serialization import deserialize_message
from wm_bundle import BundleManifest, CameraSpec, ImageSpec, LatentSpec
from wm_data.bags.episode_topics import META_TOPIC
from wm_data.to_bag.writing import write_bag as write_episode_bag
from wm_planner.config import PlannerConfig
from wm_tools.common.errors import ReplayError
from wm_tools.replay.bag import open_replay
from wm_tools.replay.played_bag import camera_topics, played_moments

TICKS = 5
MANIFEST = BundleManifest(
    model_id="tiny",
    image=ImageSpec(64, 64, (CameraSpec("rgb_front", 12, 16),)),
    vector=(),
    control_period_s=0.1,
    latent=LatentSpec("gaussian", 4, 4),
    horizon=5,
    discount=0.99,
    reward_name="step_result",
    surprise_threshold=1.0,
)


def config(**changes) -> PlannerConfig:
    return PlannerConfig.from_values(changes)


@pytest.mark.parametrize(
    "write, name",
    [
        (write_bag, "mcap"),
        (lambda path, recording: write_bag(path, recording, "sqlite3", "message"), "sqlite3"),
        (write_ros1_bag, "ros1.bag"),
        (write_old_sqlite3, "old.db3"),
    ],
)
def test_messages_of_every_kind_of_bag_are_read_by_the_installed_types(tmp_path, write, name):
    path = write(tmp_path / name, drive(TICKS))
    with open_replay(path) as bag:
        assert bag.left_out == {}
        kinds = {topic: entry.message_class for topic, entry in bag.topics.items()}
        found = [
            (message.topic, deserialize_message(message.raw, kinds[message.topic]))
            for message in bag.messages(list(kinds))
        ]
    pictures = [message for topic, message in found if topic == CAMERA]
    statuses = [message for topic, message in found if topic.endswith("vehicle_status")]
    assert [message.header.stamp.nanosec for message in pictures] == [100_000_000 * tick for tick in range(TICKS)]
    assert (pictures[2].height, pictures[2].width, pictures[2].data[0]) == (12, 16, 14)  # shade(2)
    assert [round(message.velocity, 3) for message in statuses] == [5.0, 5.1, 5.2, 5.3, 5.4]
    assert len(found) == 4 * TICKS


def test_a_type_that_is_not_installed_is_left_out_and_said(tmp_path):
    recording = drive(2)
    recording.add("/command", "autoware_control_msgs/msg/Control", 10**9, longitudinal={"velocity": 1.0})
    with open_replay(write_bag(tmp_path / "bag", recording)) as bag:
        assert set(bag.left_out) == {"/command"}
        assert "autoware_control_msgs/msg/Control is not installed" in bag.left_out["/command"]
        assert CAMERA in bag.topics


def test_the_recorded_quality_of_service_is_offered_again(tmp_path):
    write_episode_bag(tmp_path / "bag", make_episode(rows=4, size=64))
    with open_replay(tmp_path / "bag") as bag:
        assert bag.topics[META_TOPIC].qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
        assert bag.topics[META_TOPIC].qos.depth == 1
        assert bag.topics[CAMERA].qos.durability == DurabilityPolicy.VOLATILE


def test_a_damaged_bag_and_a_folder_of_several_give_one_line(tmp_path):
    whole = write_bare_mcap(tmp_path / "a.mcap", drive(TICKS))
    (tmp_path / "cut.mcap").write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(ReplayError, match="cannot be read as a bag.*--recover"):
        with open_replay(tmp_path / "cut.mcap"):
            pass
    with open_replay(tmp_path / "cut.mcap", recover=True) as bag:
        assert len(list(bag.messages([CAMERA]))) == TICKS
        assert [note for note in bag.news() if "breaks off" in note] and bag.news() == []
    with pytest.raises(ReplayError, match=r"holds 2 bags \(a, cut\): choose one"):
        with open_replay(tmp_path):
            pass
    with pytest.raises(ReplayError, match="does not exist"):
        with open_replay(tmp_path / "none.mcap"):
            pass


def test_the_frames_are_the_pictures_that_the_planner_hears(tmp_path):
    path = write_bag(tmp_path / "bag", drive(TICKS))
    cameras = camera_topics(path, MANIFEST, config())
    assert [topic.name for topic in cameras] == [CAMERA]
    moments = played_moments(path, cameras, config())
    assert [moment.stamps_ns for moment in moments] == [(10**9 + 10**8 * tick,) for tick in range(TICKS)]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"role_name": "hero"}, f"no sensor_msgs/msg/Image on /carla/hero/rgb_front/image, .*pictures are on {CAMERA}"),
        ({"image_transport": "compressed"}, f"no sensor_msgs/msg/CompressedImage on {CAMERA}/compressed"),
        ({"image_topic": f"{VEHICLE}/vehicle_status"}, "no sensor_msgs/msg/Image on"),
    ],
)
def test_a_bag_without_the_planners_camera_is_refused_with_what_it_has(tmp_path, changes, message):
    path = write_bag(tmp_path / "bag", drive(2))
    with pytest.raises(ReplayError, match=message):
        camera_topics(path, MANIFEST, config(**changes))


def test_an_episode_as_a_bag_needs_the_planner_told_that_its_pictures_are_small(tmp_path):
    write_episode_bag(tmp_path / "bag", make_episode(rows=4, size=64))
    with pytest.raises(ReplayError, match="preprocessed_images=true"):
        camera_topics(tmp_path / "bag", MANIFEST, config())
    assert camera_topics(tmp_path / "bag", MANIFEST, config(preprocessed_images=True))

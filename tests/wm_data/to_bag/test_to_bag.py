"""Episodes as bags: read back with rosbags, ROS's own types, and mcap's own reader."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from fixtures_to_bag import BASE, messages, stamp_of
from make_episodes import META, make_episode
from mcap.reader import make_reader
from rclpy.serialization import deserialize_message
from rosbags.highlevel import AnyReader
from wm_data.episodes import write_episode
from wm_data.errors import ConversionError
from wm_data.to_bag.writing import write_episode_bag
from wm_training.commands import to_bag


def test_pictures_actions_and_results_come_back_by_the_rule_of_the_topics(tmp_path):
    episode = make_episode(12, size=16)
    bag = write_episode_bag(episode, tmp_path / "drive.mcap")
    images = messages(bag, f"{BASE}/rgb_front/image")
    # One more than rows, a period of 80 ms on: what came after the last row is not known, its picture is repeated.
    stamps = [*episode.stamps_ns.tolist(), 12 * 80_000_000]
    assert [stamp_of(message) for _, message in images] == stamps == [t for t, _ in images]
    assert {message.encoding for _, message in images} == {"rgb8"}
    pictures = np.stack([message.data.reshape(16, 16, 3).transpose(2, 0, 1) for _, message in images])
    assert np.array_equal(pictures, np.concatenate([episode.observations, episode.observations[-1:]]))
    # Row t takes its action from the status stamped t + 1.
    statuses = [message for _, message in messages(bag, f"{BASE}/vehicle_status")]
    assert [stamp_of(status) for status in statuses] == stamps
    applied = np.array([[s.control.steer, s.control.throttle, s.control.brake] for s in statuses[1:]], np.float32)
    assert np.array_equal(applied, episode.actions)
    assert np.array_equal(np.float32([s.velocity for s in statuses[:12]]), episode.vector[:, 0])
    results = [message for _, message in messages(bag, f"{BASE}/step_result")]
    assert [stamp_of(result) for result in results] == stamps
    assert np.array_equal(np.float32([result.reward for result in results]), [0.0, *episode.rewards])
    assert [result.terminated for result in results] == [False, *episode.terminals.tolist()]
    assert not any(result.truncated for result in results)


def test_an_end_that_is_no_terminal_is_a_truncation(tmp_path):
    bag = write_episode_bag(make_episode(5, terminal=False, size=8), tmp_path / "drive.mcap")
    results = [message for _, message in messages(bag, f"{BASE}/step_result")]
    assert [result.truncated for result in results] == [False] * 5 + [True]
    assert not any(result.terminated for result in results)


def test_every_message_is_one_for_ros_and_its_definition_is_in_the_file(tmp_path):
    bag = write_episode_bag(make_episode(3, size=8), tmp_path / "drive.mcap")
    with open(bag, "rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        kinds = set()
        for schema, channel, message in reader.iter_messages():
            assert channel.message_encoding == "cdr" and schema.encoding == "ros2msg" and schema.data
            package, _, name = schema.name.split("/")
            decoded = deserialize_message(message.data, getattr(import_module(f"{package}.msg"), name))
            if hasattr(decoded, "header"):
                assert decoded.header.stamp.sec * 1_000_000_000 + decoded.header.stamp.nanosec == message.log_time
            kinds.add(schema.name)
    assert {"sensor_msgs/msg/Image", "carla_msgs/msg/CarlaEgoVehicleStatus", "wm_msgs/msg/StepResult"} <= kinds


def test_the_result_is_sent_before_the_picture_of_its_tick(tmp_path):
    bag = write_episode_bag(make_episode(4, size=8), tmp_path / "drive.mcap")
    with AnyReader([bag]) as reader:
        order = [(t, c.topic.rsplit("/", 1)[1]) for c, t, _ in reader.messages()]
    second = [topic for t, topic in order if t == 80_000_000]
    assert second == ["status", "clock", "vehicle_status", "expert_control", "step_result", "camera_info", "image"]
    last = [topic for t, topic in order if t == 4 * 80_000_000]
    assert last == second


def test_what_carla_has_no_topic_for_is_in_topics_of_its_own(tmp_path):
    rows = 6
    terms = np.linspace(-1, 1, 2 * rows, dtype=np.float32).reshape(rows, 2)
    terms[:, 1] = np.nan
    vector = np.linspace(-3, 3, 2 * rows, dtype=np.float32).reshape(rows, 2)
    mask = np.ones((rows, 2), bool)
    mask[2, 1] = False
    single = make_episode(rows, size=8)
    meta = {
        **META,
        "cameras": [{"name": "left eye"}, {"name": "right eye"}],
        "vector": [{"name": "speed", "unit": "m/s"}, {"name": "yaw_rate", "unit": "rad/s"}],
        "reward_terms": ["progress", "collision"],
    }
    episode = replace(
        single,
        observations=np.repeat(single.observations, 2, axis=1),
        reward_terms=terms,
        vector=vector,
        camera_mask=mask,
        stamps_ns=None,
        meta=meta,
    )
    bag = write_episode_bag(episode, tmp_path / "drive", role_name="hero")
    sent = messages(bag, "/wm_training/vector")
    assert np.array_equal(np.stack([message.data for _, message in sent[:rows]]), vector)
    assert sent[0][1].layout.dim[0].label == "speed,yaw_rate"
    # Without stamps rows are 1 / 12.5 Hz = 80 ms apart, the first one period after zero.
    assert [t for t, _ in sent] == [80_000_000 * (t + 1) for t in range(rows + 1)]
    sent = messages(bag, "/wm_training/reward_terms")
    assert np.array_equal(np.stack([message.data for _, message in sent]), terms, equal_nan=True)
    assert sent[0][0] == 160_000_000
    speeds = [message.velocity for _, message in messages(bag, "/carla/hero/vehicle_status")]
    assert np.array_equal(np.float32(speeds[:rows]), np.abs(vector[:, 0]))
    assert len(messages(bag, "/carla/hero/left_eye/image")) == rows + 1
    assert len(messages(bag, "/carla/hero/right_eye/image")) == rows
    [(_, text)] = messages(bag, "/wm_training/episode_meta")
    told = json.loads(text.data)
    assert told["meta"] == meta and told["rows"] == rows
    assert told["cameras"] == ["/carla/hero/left_eye/image", "/carla/hero/right_eye/image"]
    assert told["vector"] == "topic"
    assert told["has"] == {"stamps_ns": False, "camera_mask": True, "reward_terms": True}


def test_an_unknown_expert_is_not_sent(tmp_path):
    episode = make_episode(4, size=8)
    expert = episode.expert_actions.copy()
    expert[1] = np.nan
    bag = write_episode_bag(replace(episode, expert_actions=expert), tmp_path / "drive.mcap")
    sent = [message for _, message in messages(bag, f"{BASE}/expert_control")]
    assert [stamp_of(message) for message in sent] == [0, 160_000_000, 240_000_000, 320_000_000]
    assert np.array_equal(np.float32([message.steer for message in sent]), expert[[0, 2, 3, 3], 0])


def test_the_same_episode_gives_the_same_bytes(tmp_path):
    first = write_episode_bag(make_episode(5, size=8), tmp_path / "a" / "drive.mcap")
    second = write_episode_bag(make_episode(5, size=8), tmp_path / "b" / "drive.mcap")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stamps_ns": np.array([0, 10, 10, 20])}, "from 10 to 10 at row 2"),
        ({"stamps_ns": np.array([-5, 0, 10, 20])}, "expected 0 to"),
        ({"stamps_ns": np.array([0, 1, 2, 2**62])}, "expected 0 to"),
        ({"actions": np.zeros((4, 2), np.float32)}, "2 numbers"),
        ({"rewards": np.full(4, 1e300)}, "largest of a message"),
        ({"meta": {"rate_hz": "fast"}}, "rate_hz is 'fast'"),
        ({"meta": {"rate_hz": 0}}, "rate_hz is 0"),
    ],
)
def test_what_no_bag_can_hold_is_refused_and_leaves_nothing(tmp_path, change, words):
    folder = tmp_path / "out"
    with pytest.raises(ConversionError, match=words):
        write_episode_bag(replace(make_episode(4, size=8), **change), folder / "drive.mcap")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["drive.mcap", "drive"])
def test_a_destination_that_fills_up_is_one_error_and_leaves_nothing(tmp_path, name):
    # A limit on the size of files stands for a full disk: writing fails in the middle, and the file must go again.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)); "
        "from wm_training.commands.to_bag import main; sys.exit(main(sys.argv[1:]))"
    )
    source = write_episode(tmp_path / "episode.npz", make_episode(250))
    folder = tmp_path / "out"
    words = [sys.executable, "-c", code, str(source), str(folder / name)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.fullmatch(r"to_bag: .*drive.* cannot be written \(.*\): nothing is left of it\n", done.stderr)
    assert list(folder.iterdir()) == []


def test_the_command_says_in_one_line_what_cannot_be_used(tmp_path, capsys):
    source = write_episode(tmp_path / "episode.npz", make_episode(4, size=8))
    dest = tmp_path / "drive.mcap"
    assert to_bag.main([str(source), str(dest)]) == 0
    assert "wrote 4 rows" in capsys.readouterr().err
    before = dest.read_bytes()
    assert to_bag.main([str(source), str(dest)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert dest.read_bytes() == before
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(source.read_bytes()[:200])
    assert to_bag.main([str(damaged), str(tmp_path / "other")]) == 1
    assert "truncated or damaged" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()

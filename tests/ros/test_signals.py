"""Signals of the built-in simulator, recorded by the collector, on a real graph."""

import json

import graph
import numpy as np
import pytest
from wm_data.episodes import read_episode

NAMES = ["speed", "acceleration_along", "steering_angle", "speed_limit", "gap", "command_left", "limit_kmh"]
LIMIT = 'limit_kmh: {unit: km/h, source: "std_msgs/Float32 speed_limit data", factor: 3.6}'


@pytest.fixture(scope="module")
def episode(tmp_path_factory):
    folder, domain_id = tmp_path_factory.mktemp("signals"), graph.fresh_domain_id()
    (folder / "signals.yaml").write_text(LIMIT)
    words = ["world:=traffic", "real_time_factor:=0.0", "wait_for_driver:=30.0"]
    words.append("synchronous_mode_wait_for_vehicle_control_command:=true")
    parameters = [word for parameter in words for word in ("-p", parameter)]
    with graph.start("wm_sim", "bridge", "--ros-args", *parameters, domain_id=domain_id):
        flags = ["--episodes", "1", "--episode-length", "60", "--output-dir", str(folder), "--driver", "random"]
        flags += ["--signals", ",".join(NAMES[1:6]), "--signals-file", str(folder / "signals.yaml"), "--seed", "6"]
        with graph.start("wm_training", "collect", *flags, domain_id=domain_id) as process:
            assert process.wait(120) == 0, process.output()
        yield read_episode(folder / "episode_000000.npz")
        flags[-6:-4] = ["--signals", "gap"]
        with graph.start("wm_training", "collect", *flags, "--episodes", "2", domain_id=domain_id) as process:
            assert process.wait(120) == 1, process.output()
            assert "has the vector inputs speed, acceleration_along" in process.output()


def test_every_signal_that_the_world_knows_is_in_every_row(episode):
    assert len(episode) == 60 and [entry["name"] for entry in episode.meta["vector"]] == NAMES
    assert json.loads(json.dumps(episode.meta["vector"][-1])) == {
        "name": "limit_kmh",
        "unit": "km/h",
        "source": "std_msgs/msg/Float32 speed_limit data factor=3.6",
    }
    column = dict(zip(NAMES, episode.vector.T, strict=True))
    np.testing.assert_array_equal(column["speed_limit"], 25.0)
    np.testing.assert_allclose(column["limit_kmh"], 90.0)
    np.testing.assert_array_equal(column["command_left"], 0.0)
    assert (0.0 <= column["gap"]).all() and (column["gap"] <= 100.0).all()


def test_signs_are_those_of_ros_and_numbers_are_of_their_own_tick(episode):
    speed, along, steering = episode.vector[:, :3].T
    np.testing.assert_allclose(along[2:], np.diff(speed)[1:] / 0.08, atol=0.6)  # a curve adds to what the speed tells
    # Row t's action acts from t to t + 1: it steers to the right with positive numbers, the wheels turn to the left.
    turned = np.abs(episode.actions[:-1, 0]) > 0.1
    assert turned.sum() > 5
    assert (np.sign(steering[1:][turned]) == -np.sign(episode.actions[:-1, 0][turned])).all()

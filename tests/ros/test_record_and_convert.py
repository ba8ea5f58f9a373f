"""A bag that `record` wrote beside the collector converts to the rows that the collector wrote."""

import graph
import numpy as np
import pytest
from wm_data.conversion.api import convert_rosbag
from wm_data.episodes import read_episode

ROWS = 40


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(the collector's episode, those of the bag)."""
    folder, domain_id = tmp_path_factory.mktemp("recorded"), graph.fresh_domain_id()
    bag = folder / "drive.mcap"
    flags = ["-p", "real_time_factor:=0.0", "-p", "synchronous_mode_wait_for_vehicle_control_command:=true"]
    arguments = [
        "--episodes",
        "1",
        "--episode-length",
        str(ROWS),
        "--output-dir",
        str(folder / "collected"),
        "--driver",
        "noisy-autopilot",
        "--noise-every",
        "0.5",
        "--seed",
        "30",
        "--route",
        "recorded",
    ]
    with graph.start("wm_planner", "record", "--output", str(bag), domain_id=domain_id) as recorder:
        with graph.start("wm_sim", "bridge", "--ros-args", *flags, "-p", "wait_for_driver:=30.0", domain_id=domain_id):
            recorder.wait_for_output("recording /carla/ego_vehicle/vehicle_status", 30)  # the last one by name
            with graph.start("wm_training", "collect", *arguments, domain_id=domain_id) as process:
                assert process.wait(90) == 0, process.output()
        # The simulator has been killed, which the graph notices only after a while.
        assert recorder.stop(30) == 0, recorder.output()
    collected = read_episode(folder / "collected" / "episode_000000.npz")
    return collected, list(convert_rosbag(bag, min_rows=1, route="recorded"))


def test_a_recorded_bag_gives_the_rows_that_were_collected(both):
    collected, converted = both
    rows = {int(stamp): (episode, t) for episode in converted for t, stamp in enumerate(episode.stamps_ns)}
    shared = [int(stamp) for stamp in collected.stamps_ns if int(stamp) in rows]
    assert len(shared) >= 0.9 * ROWS  # a machine that stands still may lose messages
    for t, stamp in enumerate(collected.stamps_ns):
        if int(stamp) in rows:
            episode, row = rows[int(stamp)]
            for name in ("observations", "actions", "rewards", "vector", "expert_actions"):
                np.testing.assert_array_equal(getattr(episode, name)[row], getattr(collected, name)[t], err_msg=name)


def test_both_know_the_route_of_every_row(both):
    for episode in (both[0], *both[1]):
        assert len(episode.meta["vector"]) == 14 and np.isfinite(episode.vector).all()
        assert episode.meta["route"]["source"] == "recorded"


def test_a_recorded_bag_has_the_meta_that_was_collected(both):
    collected, converted = both
    for key in ("cameras", "rate_hz", "vector", "reward", "action_convention"):
        assert all(episode.meta[key] == collected.meta[key] for episode in converted), key

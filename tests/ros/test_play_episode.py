"""An episode, written back to a bag, drives the planner as the camera did that it was recorded from."""

from pathlib import Path

import graph
import pytest
from make_episodes import make_episode
from test_planner import Observer, planner, stamp_s
from tiny_bundle import make_tiny_bundle
from wm_msgs.msg import PlannerStatus
from wm_training import write_episode
from wm_training.commands.to_bag import main as to_bag

ROWS = 60


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("play")
    write_episode(folder / "episode.npz", make_episode(rows=ROWS, size=64))
    assert to_bag([str(folder / "episode.npz"), str(folder / "episode.mcap")]) == 0
    return folder / "episode.mcap"


def test_the_planner_drives_by_the_bag_of_an_episode_when_told_that_its_images_are_preprocessed(bag, tmp_path):
    bundle = make_tiny_bundle(tmp_path / "bundle")
    domain = graph.fresh_domain_id()
    with graph.rclpy_context(domain) as context:
        observer = Observer(context)
        with planner(domain, bundle, "autostart:=true", "preprocessed_images:=true", "deadline_ms:=1000.0") as node:
            observer.until_known()
            with graph.start(
                "wm_planner", "play_bag", str(bag), "--wait-for-subscribers", "1", domain_id=domain
            ) as player:
                assert observer.exit_code(player) == 0, player.output()
            observer.spin_for(0.5)
            answers = [message for _, message in observer.statuses if stamp_s(message) > 0.0]
            driving = [message for message in answers if message.mode == PlannerStatus.MODE_DRIVING]
            # A busy machine may lose some, and an untrained model may be surprised: then the mode says so.
            assert len(driving) > ROWS // 2, node.output()
            assert not any("expected" in message.reason for message in answers)
        observer.executor.shutdown()
        observer.node.destroy_node()

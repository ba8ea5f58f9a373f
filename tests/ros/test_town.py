"""wm_sim's world `town` on a graph: its route and its goal, a goal from elsewhere, and one in a house."""

import math

import pytest
from bridge_listener import LATCHED, check_tick, driven_bridge
from bridge_table import EGO
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from wm_bundle.processes.ros_distribution import is_humble
from wm_sim.town.world import TownWorld

pytestmark = pytest.mark.skipif(is_humble(), reason="this ROS 2's rclpy does not tell when a message was sent")

SEED, TICKS = 6, 6


@pytest.fixture(scope="module")
def driven(tmp_path_factory):
    """A Listener after TICKS ticks in the town, which keeps `paths` and `goals` too."""
    with driven_bridge(tmp_path_factory.mktemp("spawn"), SEED, TICKS, results=True, world="town") as listener:
        listener.paths, listener.goals = [], []
        for kind, name, kept in ((Path, "waypoints", listener.paths), (PoseStamped, "goal", listener.goals)):
            listener.node.create_subscription(kind, f"{EGO}/{name}", kept.append, LATCHED)
        listener.goal = listener.node.create_publisher(PoseStamped, f"{EGO}/goal", 10)
        listener.wait_for(lambda: listener.paths and listener.goals and listener.goal.get_subscription_count())
        yield listener


def place(pose) -> tuple[float, float]:
    return pose.pose.position.x, pose.pose.position.y


def goal_at(x, y, frame="map"):
    msg = PoseStamped()
    msg.header.frame_id = frame
    msg.pose.position.x, msg.pose.position.y = x, y
    return msg


def test_ticks_are_the_bridges_and_step_results_have_a_score_of_the_route(driven):
    for tick in driven.ticks(TICKS - 1):
        check_tick(tick)
    assert all(
        0.0 <= result.route_completion < 0.1 and not result.infractions for result in driven.results[1:]
    )  # the first has driven nothing


def test_the_goal_is_the_end_of_the_route_and_another_one_gives_a_route_there(driven):
    (path,), (goal,) = driven.paths, driven.goals
    assert goal.header.frame_id == path.header.frame_id == "map"
    assert place(path.poses[-1]) == pytest.approx(place(goal), abs=0.01)
    wanted = place(path.poses[25])
    driven.goal.publish(goal_at(*wanted))
    driven.wait_for(lambda: len(driven.paths) == 2 and len(driven.goals) == 2)
    assert math.dist(place(driven.paths[1].poses[-1]), wanted) < 1.0
    assert place(driven.goals[-1]) == pytest.approx(place(driven.paths[1].poses[-1]), abs=0.01)


def test_goals_that_are_sent_at_once_are_taken_once_each_though_the_simulator_hears_its_own(driven):
    paths, poses = len(driven.paths), driven.paths[0].poses
    for pose in (poses[25], poses[30], poses[25]):
        driven.goal.publish(goal_at(*place(pose)))
    driven.spin(2.0)
    assert paths < len(driven.paths) <= paths + 3
    assert math.dist(place(driven.paths[-1].poses[-1]), place(poses[25])) < 1.0


def test_a_goal_in_a_house_or_in_another_frame_changes_nothing_and_is_refused_in_one_line(driven):
    world = TownWorld(0.08)
    world.reset(SEED)
    paths = len(driven.paths)
    driven.goal.publish(goal_at(world._houses[0].x, world._houses[0].y))
    driven.goal.publish(goal_at(0.0, 0.0, frame="odom"))
    driven.spin(1.5)
    assert len(driven.paths) == paths
    said = driven.process.output()
    assert said.count("the route stays as it is") >= 1 and "in a house: the nearest lane is" in said

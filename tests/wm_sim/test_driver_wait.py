"""When the simulator begins, and what it says until then: on a fake graph and a fake clock."""

from types import SimpleNamespace

import pytest
from fake_clock import FakeClock
from wm_bundle.processes.publishers import UNNAMED
from wm_msgs.msg import PlannerStatus
from wm_sim.driver_wait import FIRST_WORD_S, GRACE_S, NEXT_WORD_S, DriverWait

IMAGE, CONTROL = "/carla/car/rgb/image", "/carla/car/vehicle_control_cmd"


class FakeNode:
    """A graph whose ends are set by the test."""

    def __init__(self):
        self.listeners, self.publishers, self.said, self.warned = {}, {}, [], []

    def create_subscription(self, kind, topic, callback, qos):
        self.hear = callback
        return SimpleNamespace(topic_name=topic)

    def get_subscriptions_info_by_topic(self, topic):
        return [SimpleNamespace(node_name=name) for name in self.listeners.get(topic, ())]

    def get_publishers_info_by_topic(self, topic):
        return [SimpleNamespace(node_name=name) for name in self.publishers.get(topic, ())]

    def get_logger(self):
        return SimpleNamespace(info=self.said.append, warning=self.warned.append)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def node():
    return FakeNode()


@pytest.fixture
def wait(node, clock):
    return DriverWait(node, "car", [IMAGE], lambda: CONTROL, clock)


def status(mode=PlannerStatus.MODE_BRAKING, bundle_id="model"):
    return PlannerStatus(mode=mode, bundle_id=bundle_id, reason="ready; nobody publishes /other")


def test_one_node_that_sees_and_commands_is_the_driver(node, wait):
    node.listeners[IMAGE], node.publishers[CONTROL] = ["recorder", UNNAMED], ["watchdog", UNNAMED]
    assert not wait.over()
    node.publishers[CONTROL].append("recorder")
    assert wait.over()


def test_a_planner_that_is_ready_and_listens_elsewhere_begins_the_drive_after_a_moment(node, wait, clock):
    node.hear(status(bundle_id="command_watchdog"))  # is none
    node.hear(status(PlannerStatus.MODE_INACTIVE))
    node.publishers[CONTROL] = ["wm_command_watchdog", "wm_planner"]
    assert not wait.over()
    clock.advance(GRACE_S)
    node.hear(status())
    assert not wait.over()
    clock.advance(GRACE_S - 0.1)
    node.hear(status())  # said every second; the first time counts
    assert not wait.over() and not node.warned
    clock.advance(0.2)
    assert wait.over()
    assert f"the node that commands on {CONTROL} (wm_planner) does not listen to {IMAGE}: starting" in node.warned[0]
    assert "ready; nobody publishes /other" in node.warned[0]


def test_a_planner_behind_a_relay_does_not_begin_the_drive_before_the_relay_is_there(node, wait, clock):
    node.hear(status())
    node.publishers[CONTROL] = ["wm_command_watchdog"]
    clock.advance(10 * GRACE_S)
    assert not wait.over()
    node.publishers[CONTROL].append("relay")  # found before its subscription is
    assert not wait.over()
    node.listeners[IMAGE] = ["relay"]
    assert wait.over() and not node.warned


def test_it_says_what_it_waits_for(node, wait, clock):
    node.publishers[CONTROL] = ["wm_planner"]
    assert not wait.over() and not node.said
    for _ in range(round((FIRST_WORD_S + NEXT_WORD_S) / 0.5) + 1):
        clock.advance(0.5)
        assert not wait.over()
    assert len(node.said) == 2
    assert f"to {IMAGE} listens nobody; {CONTROL} is published by wm_planner" in node.said[0]
    assert "on /carla/car/planner/status no planner is ready" in node.said[0]

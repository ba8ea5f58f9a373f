"""What the replay monitor waits for: an active planner, the end of the bag, the planner's deactivation."""

import time
from collections.abc import Callable

import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from wm_bundle.processes.service_guard import guard_services

from wm_tools.common.errors import ReplayError

MONITOR = "wm_replay_monitor"
_PLANNER = "wm_planner"
PLANNER_WAIT_S = 180.0  # for it to load its bundle on a busy machine
_DISCOVERY_S = 5.0  # to discover a live camera, which must not be missed: nearly 3 s were measured
_REST_WAIT_S = 10.0  # for the planner to be deactivated


class Stopped(Exception):
    """A signal came."""


class Spinning:
    """Spins a node while waiting, until a signal is in ``signals``. Use it as a context manager, which destroys the
    node at its end."""

    def __init__(self, node: Node, signals: list[int]):
        self._node = node
        self._signals = signals
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(node)

    def __enter__(self) -> "Spinning":
        return self

    def __exit__(self, *_exception) -> None:
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()

    def once(self) -> None:
        """Spin for a moment. Raises Stopped."""
        self._executor.spin_once(timeout_sec=0.1)
        if self._signals:
            raise Stopped

    def for_seconds(self, seconds: float) -> None:
        """Raises Stopped."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self.once()

    def until(self, holds: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
        """Spin until the condition holds. Raises ReplayError with ``otherwise`` on a timeout, Stopped."""
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > deadline_s:
                raise ReplayError(f"{otherwise} within {timeout_s:g} s")
            self.once()


def wait_for_planner(cameras: list[str], signals: list[int]) -> None:
    """Return when the planner is active and the monitor listens. Raises ReplayError, also if a camera is live."""
    with Spinning(node := _node("wm_replay_gate"), signals) as spinning:
        client = node.create_client(GetState, f"/{_PLANNER}/get_state")
        spinning.until(client.service_is_ready, PLANNER_WAIT_S, "the planner did not come up")
        # It answers services only once it is configured.
        future = client.call_async(GetState.Request())
        spinning.until(future.done, PLANNER_WAIT_S, "the planner does not answer")
        state = future.result().current_state
        if state.id != State.PRIMARY_STATE_ACTIVE:
            raise ReplayError(f"the planner is {state.label}, expected active: its log says why")
        spinning.until(
            lambda: all(_monitored(node, topic) for topic in cameras), PLANNER_WAIT_S, "the monitor did not come up"
        )
        found_by_s = time.monotonic() + _DISCOVERY_S
        while not (live := [topic for topic in cameras if node.count_publishers(topic)]):
            if time.monotonic() > found_by_s:
                return
            spinning.once()
        raise ReplayError(
            f"{', '.join(live)} already has a publisher: a replay beside a live camera would "
            f"drive its vehicle from a recording; stop the camera, or use another ROS_DOMAIN_ID"
        )


def _node(name: str) -> Node:
    node = rclpy.create_node(name)
    guard_services(node)
    return node


def _monitored(node: Node, topic: str) -> bool:
    return any(other.node_name == MONITOR for other in node.get_subscriptions_info_by_topic(topic))


def let_planner_rest(signals: list[int]) -> None:
    """Deactivate the planner, which has finished: it would warn of the silence, and slow down the evaluation."""
    with Spinning(node := _node("wm_replay_end"), signals) as spinning:
        client = node.create_client(ChangeState, f"/{_PLANNER}/change_state")
        try:
            spinning.until(client.service_is_ready, _REST_WAIT_S, "no planner to deactivate")
            request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
            spinning.until(client.call_async(request).done, _REST_WAIT_S, "no answer to the deactivation")
        except ReplayError as error:  # everything to answer is answered
            print(f"replay_monitor: {error}", flush=True)

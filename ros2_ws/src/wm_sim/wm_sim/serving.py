"""Serving a node's callbacks for a limited time, from a loop of its own."""

import time
from collections.abc import Callable, Sequence

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from wm_sim.sensors import RELIABLE

SLICE_S = 0.1  # longest time between checks of the stop signals
OVERTIME_S = 0.02  # at most this long after a deadline, to serve what is queued


class Callbacks:
    """The callbacks of a node; ``spin`` serves them until ``stop`` contains a signal."""

    def __init__(self, node: Node, stop: Sequence[int]):
        self._node, self._stop = node, stop
        self._served = 0  # messages handled
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(node)

    def subscribe(self, kind: type, topic: str, callback: Callable, qos: QoSProfile = RELIABLE) -> Subscription:
        """Have ``callback`` called with every message."""

        def count_and_call(msg):
            self._served += 1
            callback(msg)

        return self._node.create_subscription(kind, topic, count_and_call, qos)

    def spin(self, duration_s: float, until: Callable[[], bool] = lambda: False, slice_s: float = SLICE_S) -> bool:
        """Serve callbacks for ``duration_s``, then those still queued; returns True as soon as ``until``, which is
        asked every ``slice_s``, does."""
        deadline = time.monotonic() + duration_s
        while not self._stop:
            left, served = deadline - time.monotonic(), self._served
            self._executor.spin_once(timeout_sec=min(max(left, 0.0), slice_s))
            if until():
                return True
            if left <= 0.0 and (self._served == served or left < -OVERTIME_S):
                return False
        return False

    def close(self) -> None:
        """Serve no more."""
        self._executor.shutdown()

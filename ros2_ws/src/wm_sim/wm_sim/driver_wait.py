"""Waits, before the first tick, for a node that drives to appear in the graph."""

import time
from collections.abc import Callable, Sequence

from rclpy.node import Node
from wm_bundle.processes.publishers import UNNAMED
from wm_msgs.msg import PlannerStatus

WATCHDOG, WATCHDOG_NODE = "command_watchdog", "wm_command_watchdog"  # its bundle_id and its node's name: not a driver
GRACE_S = 3.0  # to discover the rest of a driver, once a planner is ready and commands are published
FIRST_WORD_S, NEXT_WORD_S = 5.0, 30.0  # first log of the reason for waiting, and its period after that


class DriverWait:
    """``over`` tells when the drive may begin: when one node sees a camera and sends commands, or when a planner
    reports ready, commands are published, and no single node does both: the pictures reach it by another path."""

    def __init__(
        self,
        node: Node,
        role_name: str,
        images: Sequence[str],
        control: Callable[[], str | None],
        clock: Callable[[], float] = time.monotonic,
    ):
        """``images``: topics of the cameras; ``control`` returns the topic whose commands count now, None where no node
        has to send any; ``clock`` is monotonic [s]."""
        self._node = node
        self._images = images
        self._control = control
        self._clock = clock
        self._begun_s = clock()
        self._next_word_s = FIRST_WORD_S
        self._ready = False
        self._ready_s: float | None = None  # since when a planner is ready and commands are published
        self._heard = ""
        self._statuses = node.create_subscription(
            PlannerStatus, f"/carla/{role_name}/planner/status", self._on_status, 10
        )

    def close(self) -> None:
        """Stop listening."""
        self._node.destroy_subscription(self._statuses)

    def over(self) -> bool:
        """Whether the drive may begin; logs the reason at intervals if not."""
        control, now_s = self._control(), self._clock()
        sees = set().union(*(_names(self._node.get_subscriptions_info_by_topic(topic)) for topic in self._images))
        commands = sees if control is None else _names(self._node.get_publishers_info_by_topic(control))
        # One node has to do both: a recorder sees and a watchdog commands, but together they are not a driver.
        if sees & commands:
            return True
        drivers = commands - {WATCHDOG_NODE}
        self._ready_s = (self._ready_s or now_s) if self._ready and drivers else None
        if self._ready_s is not None and now_s - self._ready_s >= GRACE_S:
            self._node.get_logger().warning(
                f"a planner is ready, but the node that commands on {control} ({_spell(drivers)}) does not listen to "
                f"{', '.join(self._images)}: starting anyway. The planner says: {self._heard}"
            )
            return True
        if now_s - self._begun_s >= self._next_word_s:
            self._next_word_s += NEXT_WORD_S
            self._node.get_logger().info(self._missing(sees, commands, control, now_s - self._begun_s))
        return False

    def _missing(self, sees: set[str], commands: set[str], control: str | None, waited_s: float) -> str:
        lines = [f"to {', '.join(self._images)} listens {_spell(sees)}"]
        if control is not None:
            lines.append(f"{control} is published by {_spell(commands)}")
        lines.append(
            f"on {self._statuses.topic_name} "
            + ("no planner is ready" if not self._ready else f"a planner says: {self._heard}")
        )
        return f"waiting for a driver for {waited_s:.0f} s: {'; '.join(lines)}"

    def _on_status(self, message: PlannerStatus) -> None:
        if message.bundle_id == WATCHDOG:
            return
        self._ready = message.mode != PlannerStatus.MODE_INACTIVE
        self._heard = message.reason


def _spell(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nobody"


def _names(ends: list) -> set[str]:
    """The nodes of endpoints, except undiscovered ones: those all have one name."""
    return {end.node_name for end in ends} - {UNNAMED}

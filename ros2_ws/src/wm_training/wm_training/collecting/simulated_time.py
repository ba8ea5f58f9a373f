"""The simulator's time: the length of its ticks, and pausing, stepping and continuing it (/carla/control)."""

import time
from typing import Any

from carla_msgs.msg import CarlaControl, CarlaStatus
from rcl_interfaces.srv import GetParameters
from rclpy.node import Node
from wm_bundle.lock_step import WAITS
from wm_bundle.processes.publishers import full_name
from wm_bundle.times import NS_PER_S
from wm_data.line import usual_step_ns

from wm_training.collecting.planner_link import WaitFor
from wm_training.errors import CollectError

_MEASURED = 25  # intervals between pictures, for the period of a simulator whose steps vary
_ANSWER_S = 2.0  # longest wait for the simulator's parameter


class SimulatedTime:
    """Listens to /carla/status and publishes /carla/control."""

    def __init__(self, node: Node):
        self._node = node
        self._control = node.create_publisher(CarlaControl, "/carla/control", 10)
        self._statuses = node.create_subscription(CarlaStatus, "/carla/status", self._on_status, 10)
        self._status: CarlaStatus | None = None
        self._running: bool | None = None  # since it was last let go, None before the first status
        self._still_since_s = 0.0
        self._stamps: list[int] = []

    @property
    def synchronous(self) -> bool:
        """Whether the simulator ticks only when asked to."""
        return self._status is not None and self._status.synchronous_mode

    @property
    def period_ns(self) -> int | None:
        """Time between two ticks with a picture [ns]; measured where the server keeps its own time, whose cameras need
        not take part in every step. None: not known yet."""
        if self._status is None:
            return None
        if self.synchronous:
            return round(self._status.fixed_delta_seconds * NS_PER_S) or None
        if len(self._stamps) <= _MEASURED:
            return None
        return usual_step_ns(self._stamps)

    def note_picture(self, stamp_ns: int) -> None:
        """A picture came."""
        if len(self._stamps) <= _MEASURED:
            self._stamps.append(stamp_ns)

    def pause(self) -> None:
        """Ask the simulator to pause between two ticks, see ``stands_still``."""
        self._control.publish(CarlaControl(command=CarlaControl.PAUSE))

    def step(self) -> None:
        """Ask a paused simulator for one tick."""
        self._let_go(CarlaControl.STEP_ONCE)

    def play(self) -> None:
        """Let the simulator continue."""
        self._let_go(CarlaControl.PLAY)

    @property
    def runs(self) -> bool:
        """Whether the simulator has said since it was last let go that it runs."""
        return bool(self._running)

    def stands_still(self, for_s: float = 0.0) -> bool:
        """Whether the simulator has paused since it was last let go, ``for_s`` [s of wall time] ago or longer. One that
        is not synchronous cannot, and counts as paused."""
        return self._running is False and time.monotonic() - self._still_since_s >= for_s

    def waits_for_commands(self, wait_for: WaitFor) -> bool:
        """Whether every tick waits for a command: a parameter of whoever publishes the status. False where it does not
        tell."""
        for end in self._node.get_publishers_info_by_topic(self._statuses.topic_name):
            name = f"{full_name(end)}/get_parameters"
            client = self._node.create_client(GetParameters, name)
            try:
                wait_for(client.service_is_ready, name, _ANSWER_S)
                answer: Any = client.call_async(GetParameters.Request(names=[WAITS]))
                wait_for(answer.done, name, _ANSWER_S)
                if any(value.bool_value for value in answer.result().values):
                    return True
            except CollectError:
                continue
            finally:
                self._node.destroy_client(client)
        return False

    def _let_go(self, command: int) -> None:
        self._running = None
        self._control.publish(CarlaControl(command=command))

    def _on_status(self, message: CarlaStatus) -> None:
        self._status = message
        running = message.synchronous_mode_running and message.synchronous_mode
        if self._running is not running:
            self._still_since_s = time.monotonic()
        self._running = running

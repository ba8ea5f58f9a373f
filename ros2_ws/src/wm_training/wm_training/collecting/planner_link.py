"""The planner as the driver for recording episodes: its commands, life cycle and parameters.

It must publish its commands on a separate topic, so that the simulator gets only the recorder's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from carla_msgs.msg import CarlaEgoVehicleControl
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from wm_bundle.times import ns_of
from wm_msgs.msg import PlannerStatus

from wm_training.errors import CollectError

# Parameters that do not affect driving: rclpy's own, and a folder whose content is identified separately.
_NOT_TOLD = ("use_sim_time", "start_type_description_service", "autostart", "bundle")

WaitFor = Callable[..., None]
"""``Collector.wait_for``: spins until a condition holds; raises CollectError with what is missing."""


def control_array(message: CarlaEgoVehicleControl) -> np.ndarray:
    """(steer, throttle, brake) float32 of a control message."""
    return np.array([message.steer, message.throttle, message.brake], np.float32)


class PlannerLink:
    """Listens to a planner node and controls it. Every method that waits raises CollectError."""

    def __init__(self, node: Node, role_name: str, name: str, on_command: Callable[[int, np.ndarray], None]):
        """``name`` of the planner's node; ``on_command`` gets the stamp [ns] of an image and the command (3,) that
        answers it."""
        self._name = name
        self._on_answer = on_command
        self.reason = ""
        """Why it brakes or is degraded, empty while it drives normally."""
        self._bundle_id = ""
        self._drives = False
        self.first_answer_ns: int | None = None
        """Stamp of the first image that it answered since it was restarted [ns]."""
        prefix = f"/carla/{role_name}/planner"
        commands = node.create_subscription(CarlaEgoVehicleControl, f"{prefix}/control", self._on_command, 10)
        self.topic = commands.topic_name
        node.create_subscription(PlannerStatus, f"{prefix}/status", self._on_status, 10)
        self._change_state = node.create_client(ChangeState, f"{name}/change_state")
        self._list_parameters = node.create_client(ListParameters, f"{name}/list_parameters")
        self._get_parameters = node.create_client(GetParameters, f"{name}/get_parameters")

    def describe(self, wait_for: WaitFor, timeout_s: float) -> dict:
        """Wait at most ``timeout_s`` [s] until the planner drives, and read its settings: {"bundle": id, "parameters":
        {name: value}}."""
        # It drives only after it has found image and vehicle_status, and so the simulator.
        wait_for(
            lambda: self.first_answer_ns is not None and self._drives,
            f"the planner to answer an image with a command on {self.topic}, other than a brake for a fault: start it "
            f"with autostart:=true and control_topic:={self.topic}, or record with collect.launch.py, which does",
            timeout_s,
        )
        names = self._ask(self._list_parameters, ListParameters.Request(), wait_for).result.names
        told = sorted(name for name in names if name not in _NOT_TOLD and not name.startswith("qos_overrides"))
        values = self._ask(self._get_parameters, GetParameters.Request(names=told), wait_for).values
        parameters = {name: parameter_value_to_python(value) for name, value in zip(told, values, strict=True)}
        return {"bundle": self._bundle_id, "parameters": parameters}

    def restart(self, wait_for: WaitFor) -> None:
        """Reset the planner, as if it had been started for the next image."""
        for transition, what in (
            (Transition.TRANSITION_DEACTIVATE, "deactivated"),
            (Transition.TRANSITION_ACTIVATE, "activated"),
        ):
            request = ChangeState.Request(transition=Transition(id=transition))
            if not self._ask(self._change_state, request, wait_for).success:
                raise CollectError(f"the planner /{self._name} refused to be {what}; its own log says why")
            if transition == Transition.TRANSITION_DEACTIVATE:
                self.first_answer_ns = None

    def _ask(self, client, request, wait_for: WaitFor) -> Any:
        """The response to a service request."""
        wait_for(client.service_is_ready, f"the service {client.srv_name} of the planner")
        future = client.call_async(request)
        wait_for(future.done, f"the answer of {client.srv_name}")
        return future.result()

    def _on_command(self, message: CarlaEgoVehicleControl) -> None:
        stamp = ns_of(message.header.stamp)
        if stamp:  # else a brake that answers no image; simulated time waits, so there is nothing to brake
            if self.first_answer_ns is None:
                self.first_answer_ns = stamp
            self._on_answer(stamp, control_array(message))

    def _on_status(self, message: PlannerStatus) -> None:
        self._bundle_id = message.bundle_id
        self.reason = message.reason
        self._drives = message.mode in (PlannerStatus.MODE_DRIVING, PlannerStatus.MODE_DEGRADED)

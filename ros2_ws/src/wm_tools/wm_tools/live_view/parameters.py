"""The live view's parameters."""

import ipaddress
from dataclasses import dataclass

from wm_bundle.processes.parameters import VehicleParameters, parameter, role_name_parameter, topic_parameter


@dataclass(frozen=True)
class ViewConfig(VehicleParameters):
    address: str = parameter("127.0.0.1", "IP address to listen on; others can watch unless it is a loopback address")
    port: int = parameter(8765, "port to listen on; 0 takes any free one", "", 0, 65535)
    role_name: str = role_name_parameter()
    camera: str = parameter("rgb_front", "camera to show")
    image_topic: str = topic_parameter("camera images, {camera} stands for the camera's name", "{camera}/image")
    image_transport: str = parameter(
        "raw", "raw, or compressed for <image_topic>/compressed", choices=("raw", "compressed")
    )
    control_topic: str = topic_parameter("commands", "vehicle_control_cmd")
    planner_status_topic: str = topic_parameter("PlannerStatus", "planner/status")
    imagined_topic: str = topic_parameter("ImaginedRollouts", "planner/imagined")
    status_topic: str = topic_parameter("vehicle status", "vehicle_status")
    step_result_topic: str = topic_parameter("step results", "step_result")
    diagnostics_topic: str = parameter("/diagnostics", "diagnostics")

    def check(self) -> None:
        super().check()
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise self.refusal(f"parameter address: expected an IP address, found '{self.address}'") from None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        return ipaddress.ip_address(self.address).is_loopback

    @property
    def camera_topic(self) -> str:
        topic = self.topic("image_topic").replace("{camera}", self.camera)
        return f"{topic}/compressed" if self.image_transport == "compressed" else topic

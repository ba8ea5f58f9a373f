"""What the recorder's nodes read out of messages."""

import numpy as np
from carla_msgs.msg import CarlaEgoVehicleControl


def control_array(message: CarlaEgoVehicleControl) -> np.ndarray:
    """(steer, throttle, brake) float32 of a control message."""
    return np.array([message.steer, message.throttle, message.brake], np.float32)

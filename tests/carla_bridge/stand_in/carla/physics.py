"""How a car moves, and how the traffic manager drives one: a bicycle model on the oval road."""

import math

from . import libcarla, road
from .values import Body, State

MAX_STEER = math.radians(35.0)
WHEELBASE = 2.8  # [m]
_CRUISE = 7.0  # [m/s]


def drive(body: Body, delta: float) -> None:
    """Move a car by one tick of ``delta`` [s] under its present control; out-of-range values act as their limits."""
    state, control = body.state, body.control
    direction = -1.0 if control.reverse or (control.manual_gear_shift and control.gear < 0) else 1.0
    push = 4.0 * min(max(control.throttle, 0.0), 1.0) * direction
    brake = 8.0 * min(max(control.brake, 0.0), 1.0) + (8.0 if control.hand_brake else 0.0) + 0.05 * abs(body.speed)
    speed = body.speed + push * delta
    slower = min(abs(speed), brake * delta)
    speed -= math.copysign(slower, speed)
    yaw = math.radians(state.turn[1])
    rate = speed / WHEELBASE * math.tan(MAX_STEER * min(max(control.steer, -1.0), 1.0))
    middle, end = yaw + 0.5 * rate * delta, yaw + rate * delta
    velocity = (speed * math.cos(end), speed * math.sin(end), 0.0)
    x, y, _ = state.place
    body.speed = speed
    body.state = State(
        (x + speed * math.cos(middle) * delta, y + speed * math.sin(middle) * delta, 0.0),
        (0.0, math.degrees(end), 0.0),
        velocity,
        tuple((new - old) / delta for new, old in zip(velocity, state.velocity, strict=True)),
        math.degrees(rate),
    )


def autopilot(state: State):
    """The traffic manager's control for a car in that state."""
    steer = road.pursuit(state.place, state.turn[1], WHEELBASE, MAX_STEER)
    missing = _CRUISE - math.hypot(*state.velocity[:2])
    return libcarla.VehicleControl(
        throttle=min(max(0.3 * missing, 0.0), 0.75), steer=steer, brake=min(max(-0.3 * missing, 0.0), 1.0)
    )

"""The bridge's ``actor.pseudo.control``: topics that set the car's pose and velocity, whoever drives it."""

import math
from collections.abc import Callable

from geometry_msgs.msg import Pose, PoseWithCovarianceStamped, Twist

from wm_sim.commands import CommandDesk
from wm_sim.messages import yaw_from_orientation
from wm_sim.simulation import Simulation


class CarControl:
    """Handles set_transform, set_target_velocity and /initialpose; the effect shows in the next tick.

    ``subscribe`` takes (type, topic, callback), ``warn`` a text for the user; ``base`` is the control actor's topic,
    /carla/<role name>/<id>.
    """

    def __init__(
        self, subscribe: Callable, warn: Callable[[str], None], base: str, simulation: Simulation, desk: CommandDesk
    ):
        self._warn = warn
        self._simulation = simulation
        self._desk = desk
        subscribe(Pose, f"{base}/set_transform", lambda msg: self._on_pose("set_transform", msg))
        subscribe(Twist, f"{base}/set_target_velocity", self._on_velocity)
        # In CARLA a separate node, set_initial_pose, forwards this to set_transform.
        subscribe(PoseWithCovarianceStamped, "/initialpose", lambda msg: self._on_pose("/initialpose", msg.pose.pose))

    def _on_pose(self, topic: str, pose: Pose) -> None:
        place = pose.position.x, pose.position.y, yaw_from_orientation(pose.orientation)
        if not all(map(math.isfinite, place)):
            self._warn(
                f"ignored {topic}: expected a finite place and a rotation, got x {place[0]}, y {place[1]}, "
                f"orientation {pose.orientation}"
            )
        elif not self._simulation.place_car(*place):
            self._warn(f"ignored {topic}: no episode runs")

    def _on_velocity(self, msg: Twist) -> None:
        velocity = msg.linear.x, msg.linear.y, msg.angular.z
        if self._desk.override:
            return  # as in the bridge: ignored under the manual override
        if not all(map(math.isfinite, velocity)):
            self._warn(f"ignored set_target_velocity: expected finite numbers, got {velocity}")
        elif not self._simulation.push_car(*velocity):
            self._warn("ignored set_target_velocity: no episode runs")

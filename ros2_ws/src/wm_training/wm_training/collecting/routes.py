"""The route of recorded rows: as it is published, or made in hindsight of the path that was driven."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from nav_msgs.msg import Odometry, Path
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from wm_bundle.rotation import yaw_of
from wm_bundle.routes import Route, RouteError
from wm_bundle.times import ns_of
from wm_bundle.vector_inputs import ROUTE, VECTOR_INPUTS, usual_inputs
from wm_data.routes.driven import DrivenPath, PathError
from wm_data.routes.following import ROUTE_INPUTS, Leg, follow
from wm_data.routes.hindsight import hindsight_legs

from wm_training.errors import CollectError

if TYPE_CHECKING:
    from wm_training.collecting.collect_options import CollectOptions

_LATCHED = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class RouteLog:
    """Hears the routes of one vehicle, and makes the columns of an episode of them."""

    def __init__(self, options: "CollectOptions", node: Node, prefix: str, on_error: Callable[[Exception], None]):
        """``prefix`` of the vehicle's topics; ``on_error`` gets the reason why a route is unusable."""
        self._noise_m, self._on_error = options.route_noise, on_error
        self._legs: list[tuple[int, Leg | None]] = []  # from these stamps on, in the order of their coming
        self._route_frame, self._frame = "", ""
        self.topic = ""
        if options.route == "recorded":
            self.topic = node.create_subscription(Path, f"{prefix}/{ROUTE.leaf}", self.hear, _LATCHED).topic_name

    @property
    def meta(self) -> dict:
        """What an episode's meta tells of its route."""
        if self.topic:
            return {"source": "recorded", "path": "odometry"}
        return {"source": "hindsight", "path": "odometry", "noise_m": self._noise_m}

    @property
    def is_there(self) -> bool:
        """Whether a route came, where one is needed."""
        return not self.topic or bool(self._legs)

    def hear(self, message: Path) -> None:
        """A route, in force from its stamp on; without poses: none any more."""
        points = [(one.pose.position.x, one.pose.position.y) for one in message.poses]
        try:
            leg = Leg(Route.of_points(points, message.header.frame_id)) if points else None
        except RouteError as error:
            self._on_error(CollectError(f"{self.topic}: {error}"))
            return
        self._route_frame = message.header.frame_id
        self._legs.append((ns_of(message.header.stamp), leg))

    def pose_of(self, message: Odometry) -> tuple[float, float, float]:
        """x, y [m] and yaw [rad]."""
        self._frame = message.header.frame_id
        place, turn = message.pose.pose.position, message.pose.pose.orientation
        return place.x, place.y, yaw_of(turn.x, turn.y, turn.z, turn.w)

    def columns(self, stamps_ns: np.ndarray, poses: np.ndarray, seed: int) -> np.ndarray:
        """(n, R) of rows at their stamps (n,) and poses (n, 3). ``seed`` of the shift to the side, in hindsight. Raises
        CollectError where the route is in another frame than the odometry, or the yaws are no directions."""
        if self.topic:
            if self._route_frame.strip("/") != self._frame.strip("/"):
                raise CollectError(
                    f"{self.topic} is in the frame '{self._route_frame}', the odometry in '{self._frame}': record with "
                    f"--route hindsight"
                )
            legs: Sequence[Leg | None] = [self._in_force(stamp_ns) for stamp_ns in stamps_ns.tolist()]
        else:
            try:
                poses, legs = hindsight_legs(DrivenPath(stamps_ns, poses), stamps_ns, None, self._noise_m, seed)
            except PathError as error:
                raise CollectError(f"odometry: {error}") from None
        values = follow(legs, poses).values
        return np.stack([values[name] for name in ROUTE_INPUTS], axis=1).astype(np.float32)

    def _in_force(self, stamp_ns: int) -> Leg | None:
        return next((leg for since_ns, leg in reversed(self._legs) if since_ns <= stamp_ns), None)


def told_of(routes: RouteLog | None, signals: Sequence[dict] | None = None) -> dict:
    """What an episode's meta tells of the vector, in the registry's order: the ``signals``, by default the usual ones,
    and the columns of a route, which rows may lack, as NaN."""
    told = [entry.told for entry in usual_inputs()] if signals is None else list(signals)
    if routes is None:
        return {"vector": told}
    told += [{**VECTOR_INPUTS[name].told, "gaps": True} for name in ROUTE_INPUTS]
    order = list(VECTOR_INPUTS)
    told.sort(key=lambda one: order.index(one["name"]) if one["name"] in order else len(order))
    return {"vector": told, "route": routes.meta}

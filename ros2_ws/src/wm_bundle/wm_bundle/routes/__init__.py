"""Where to go: a route, and where a vehicle is along it. No ROS: the planner, `collect` and `convert` all use it."""

from wm_bundle.routes.follower import (
    DISTANCES_M,
    LEFT_CAP_M,
    RouteFollower,
    RouteView,
    distances_among,
    is_route_input,
    scale_of,
)
from wm_bundle.routes.route import Route, RouteError

__all__ = [
    "DISTANCES_M",
    "LEFT_CAP_M",
    "Route",
    "RouteError",
    "RouteFollower",
    "RouteView",
    "distances_among",
    "is_route_input",
    "scale_of",
]

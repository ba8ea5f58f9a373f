"""How far an episode came along the route that its simulator publishes, where no step results say so. No ROS here."""

import math

from wm_bundle.routes import Route, RouteFollower

from wm_tools.drive.records import Episode

DEVIATION_M = 30.0  # farther from its route a car of CARLA's leaderboard has left it


def followed(episode: Episode, route: Route | None) -> dict[str, float | None]:
    """``route_completion`` [%], of this episode alone, and ``route_deviations``, 0 or 1. None without a route, and
    without positions."""
    places = [
        (*episode.positions[one.stamp_ns], one.yaw) for one in episode.motions if one.stamp_ns in episode.positions
    ]
    if route is None or not places or not all(math.isfinite(sum(place)) for place in places):
        return {"route_completion": None, "route_deviations": None}
    follower = RouteFollower(route, off_route_m=DEVIATION_M)
    views = [follower.update(*place) for place in places]
    return {
        "route_completion": 100.0 * (views[-1].completion - views[0].completion),
        "route_deviations": float(any(view.off_route for view in views)),
    }

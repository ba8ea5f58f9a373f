"""The built-in worlds by name. A world's library is imported only when the world is used."""

from __future__ import annotations

from wm_sim.world import World

CARRACING, TRAFFIC = "carracing", "traffic"
WORLDS = (CARRACING, TRAFFIC)
TRAFFIC_CARS = 20  # other cars in the traffic world, unless told otherwise


def make_world(name: str, fixed_delta_seconds: float, traffic_cars: int = TRAFFIC_CARS) -> World:
    """The world called ``name``, before its first episode; ValueError for an unknown name or period."""
    if name == CARRACING:
        from wm_sim.carracing.world import CarRacingWorld

        return CarRacingWorld(fixed_delta_seconds)
    if name == TRAFFIC:
        from wm_sim.traffic.world import TrafficWorld

        return TrafficWorld(fixed_delta_seconds, traffic_cars)
    raise ValueError(f"world must be {' or '.join(WORLDS)}, got {name!r}")

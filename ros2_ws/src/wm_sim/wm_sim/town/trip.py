"""A drive along a route: how far the car has come."""

from wm_sim.town.route import Place, Route

ARRIVED_M = 4.0  # before the end of the route
BESIDE_M = 4.0  # from the route, at most, to arrive


class Trip:
    """The route of an episode, and the car's place on it."""

    def __init__(self, route: Route, x: float, y: float):
        self.take(route, x, y)

    def take(self, route: Route, x: float, y: float) -> None:
        """Follow another route from now on."""
        self.route = route
        self.search(x, y)
        self.furthest_m = self.place.s

    def search(self, x: float, y: float) -> None:
        """The car was moved externally: its place is the closest one of all."""
        self.place: Place = self.route.locate(x, y)

    def move(self, x: float, y: float) -> float:
        """The car drove to a place; returns by how much it is further [m] than ever."""
        self.place = self.route.locate(x, y, self.place.s)
        gained = max(0.0, self.place.s - self.furthest_m)
        self.furthest_m += gained
        return gained

    def deviation(self, x: float, y: float) -> float:
        """[m] from the route as a whole."""
        return min(self.place.distance, self.route.locate(x, y).distance)

    @property
    def arrived(self) -> bool:
        return self.place.s >= self.route.length - ARRIVED_M and self.place.distance <= BESIDE_M

    @property
    def completion(self) -> float:
        """0 to 1: the share of the route driven."""
        return 1.0 if self.arrived else min(1.0, self.furthest_m / self.route.length)

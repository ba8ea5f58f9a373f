"""The built-in worlds by name: to add one, write its folder (a World and its WorldFacts) and its line here."""

from wm_sim.carracing.facts import CarRacingFacts
from wm_sim.town.facts import TownFacts
from wm_sim.traffic.facts import TrafficFacts
from wm_sim.world_facts import WorldFacts

WORLDS: dict[str, WorldFacts] = {facts.name: facts for facts in (CarRacingFacts(), TrafficFacts(), TownFacts())}
DEFAULT_WORLD = next(iter(WORLDS))
TRAFFIC_CARS = 20  # default number of other cars in a world that has some


def world_of_map(map_name: str | None) -> WorldFacts | None:
    """The world that a simulator with this map drives; None for another simulator's."""
    return next((facts for facts in WORLDS.values() if facts.map_name == map_name), None)


def worlds_described() -> str:
    """A line for help texts."""
    return "; ".join(f"{facts.name}: {facts.description}" for facts in WORLDS.values())

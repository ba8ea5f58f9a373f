"""Facts about the town that need none of its libraries."""

from wm_sim.world_facts import Step, WorldFacts

GOAL, ROUTE_LEFT, BLOCKED = "goal reached", "left the route", "blocked"
# Points of the last step. They tell the endings apart: infractions in the same step take 40.4 points at most.
GOAL_POINTS, ROUTE_LEFT_POINTS, BLOCKED_POINTS = 50.0, -50.0, -150.0


class TownFacts(WorldFacts):
    name = map_name = "town"
    description = "a town with a route, traffic lights and other cars"
    episode_s = 160.0
    implementation = "wm_sim.town.world:TownWorld"
    success = GOAL
    wheelbase_m = 2.9
    full_steer_rad = 0.5  # at low speed; above, the same share of what the tyres can use
    top_speed_mps = 50.0

    def early_ending(self, last: Step) -> str:
        if last.reward > 0.0:
            return GOAL
        return ROUTE_LEFT if last.reward > (ROUTE_LEFT_POINTS + BLOCKED_POINTS) / 2 else BLOCKED

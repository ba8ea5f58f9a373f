"""Facts about the traffic world that need no highway-env."""

from wm_sim.world_facts import Step, WorldFacts

COLLISION, LEFT_ROAD = "collision", "left the road"
ALL_WHEELS = 4


class TrafficFacts(WorldFacts):
    name = map_name = "traffic"
    description = "a road with other cars"
    episode_s = 40.0
    implementation = "wm_sim.traffic.world:TrafficWorld"
    wheelbase_m = 2.9
    full_steer_rad = 0.5  # at low speed; above, the same share of what the tyres can use
    top_speed_mps = 50.0
    full_pedals_mps2 = (5.0, 8.0)

    def early_ending(self, last: Step) -> str:
        return LEFT_ROAD if last.wheels_off_road == ALL_WHEELS else COLLISION

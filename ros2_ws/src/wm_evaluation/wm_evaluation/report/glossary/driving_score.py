"""CARLA's driving score and what stands beside it."""

from wm_evaluation.report.glossary.metric import Metric

_SOURCE = "CARLA Autonomous Driving Leaderboard"

SCORING = {
    "driving_score": Metric(
        "Driving score",
        "Route completion in percent times the infraction penalty: 100 for a route that was driven to its end without "
        "an infraction. The mean is over drives. This is version 2.0 of the leaderboard, the one of most publications.",
        better="higher",
        source=_SOURCE,
    ),
    "driving_score_2_1": Metric(
        "Driving score 2.1",
        "As above by version 2.1, where the penalty is 1 / (1 + the sum of the costs): 1.0 for each collision with a "
        "pedestrian, 0.7 with a vehicle, 0.6 with anything else, 0.4 for a red light, a scenario's timeout, too little "
        "speed or an emergency vehicle in the way, 0.25 for a stop sign.",
        better="higher",
        source=_SOURCE,
    ),
    "route_completion": Metric(
        "Route completion",
        "Share of the route that was driven. What was driven with two or more wheels off the road, or outside the "
        "route's lanes, does not count.",
        unit="%",
        better="higher",
        source=_SOURCE,
    ),
    "infraction_penalty": Metric(
        "Infraction penalty",
        "Product of a factor for each infraction: 0.50 for a collision with a pedestrian, 0.60 with a vehicle, 0.65 "
        "with anything else, 0.70 for a red light, a scenario's timeout, too little speed or an emergency vehicle in "
        "the way, 0.80 for a stop sign. Leaving the route, standing blocked and running out of time have no factor: "
        "they end the drive.",
        better="higher",
        source=_SOURCE,
    ),
    "collisions_per_km": Metric(
        "Collisions by distance",
        "Collisions of all drives together per kilometre of all together: by the simulator's step results, or by its "
        "collision sensor, where the same actor again within 5 s is no further collision.",
        unit="1/km",
        better="lower",
    ),
    "red_lights_per_km": Metric(
        "Red lights by distance",
        "Red lights passed in all drives together per kilometre of all together.",
        unit="1/km",
        better="lower",
    ),
    "route_deviations": Metric(
        "Route deviations", "How often a drive ended because the car had left its route.", better="lower"
    ),
    "close_share": Metric(
        "Close to a collision",
        "Share of the time in which the car would have hit another within 1.5 s if both had kept their velocities.",
        unit="%",
        better="lower",
    ),
    "comfortable_share": Metric(
        "Comfortable",
        "Share of the steps within nuPlan's limits: acceleration ahead from -4.05 to 2.40 m/s², to the side up to "
        "4.89 m/s², jerk up to 8.37 m/s³, all as reported, without smoothing.",
        unit="%",
        better="higher",
        source="nuPlan",
    ),
}

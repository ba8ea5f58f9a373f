"""The figures of a benchmark, in the order of its tables."""

from wm_evaluation.wording import spell_interval

from wm_tools.common.figure import Figure
from wm_tools.drive.driving_figures import LANE_INVASIONS, SCORING

_TASK, _EVENTS, _MOTION, _COMFORT, _CONTROL = "Task", LANE_INVASIONS.topic, "Motion", "Comfort", "Control"

FIGURES = (
    Figure("score", "Score", _TASK),
    Figure("progress", "Progress", _TASK, "%", 1, 100.0),
    Figure("lap_finished", "Laps finished", _TASK, "%", 0, 100.0),
    Figure("steps", "Steps", _TASK, "", 0),
    Figure("time_s", "Driven time", _TASK, "s"),
    *SCORING,
    Figure("off_track_share", "Off track", _EVENTS, "%", 1, 100.0, "off_track"),
    Figure("lane_invasions_per_min", "Lane invasions", _EVENTS, "1/min"),
    LANE_INVASIONS,
    Figure("collisions", "Collisions", _EVENTS, "", 2),
    Figure("distance_m", "Distance", _MOTION, "m", 0),
    Figure("mean_speed_mps", "Mean speed", _MOTION, "m/s"),
    Figure("settled_speed_mps", "Mean speed after 5 s", _MOTION, "m/s"),
    Figure("max_speed_mps", "Highest speed", _MOTION, "m/s"),
    Figure("lateral_acceleration_rms", "Lateral acceleration, RMS", _COMFORT, "m/s²"),
    Figure("lateral_acceleration_p95", "Lateral acceleration, p95", _COMFORT, "m/s²"),
    Figure("jerk_rms", "Jerk, RMS", _COMFORT, "m/s³", 0),
    Figure("jerk_max", "Jerk, highest", _COMFORT, "m/s³", 0),
    Figure("steering_change", "Steering change", _COMFORT, "", 3),
    Figure("deadline_misses", "Missed deadlines", _CONTROL),
    Figure("imagined_steps", "Imagined steps", _CONTROL, "", 0),
    Figure("search_share", "Search in time", _CONTROL, "%", 0, 100.0),
    Figure("slow_steps", "Steps without a command", _CONTROL),
    Figure("braking_share", "Braking", _CONTROL, "%", 2, 100.0),
    Figure("degraded_share", "Degraded", _CONTROL, "%", 2, 100.0),
)
BY_NAME = {figure.name: figure for figure in FIGURES}
SCORE, DRIVING_SCORE = BY_NAME["score"], BY_NAME["driving_score"]


def score_interval(cell: dict) -> str:
    """`low to high` of a mean score, or a dash."""
    return spell_interval(cell["low"], cell["high"])

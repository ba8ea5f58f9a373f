"""Figures of driving: scores, motion, latency, comparisons."""

from wm_evaluation.report.glossary.metric import Metric

DRIVING = {
    "score": Metric(
        "Score", "Sum of the rewards of an episode. On CarRacing a complete lap gives about 900.", better="higher"
    ),
    "score_interval": Metric(
        "95 % interval of the mean score",
        "If the drive were repeated on other tracks of the same kind, 95 of 100 such intervals would contain the true "
        "mean (Student's t over tracks). Few tracks make it wide.",
    ),
    "off_track": Metric(
        "Off track", "Share of the steps with two or more wheels off the road.", unit="%", better="lower"
    ),
    "surprise": Metric(
        "Surprise",
        "Kullback-Leibler divergence of the belief after a frame from the belief before it: how far the frame was from "
        "what the model expected.",
        unit="nats",
        better="lower",
    ),
    "imagined_return": Metric(
        "Imagined return",
        "Discounted sum of the rewards that the model predicts for the best candidate, by which the planner chose it.",
        better="higher",
    ),
    "pixel_error": Metric(
        "Pixel error",
        "Mean absolute difference between the imagined and the real picture, over pixels and colours.",
        unit="of 255",
        better="lower",
    ),
}

LATENCY = {
    "command_latency": Metric(
        "Latency of a command",
        "Wall time from when a step's image was due until its command reached the simulator. p50, p95 and p99 "
        "are percentiles over all commands: 99 of 100 commands took at most the p99.",
        unit="ms",
        better="lower",
    ),
    "deadline_misses": Metric(
        "Missed deadlines",
        "Steps whose command came later than one control period after the image, or not at all.",
        better="lower",
    ),
    "imagined_steps": Metric(
        "Imagined steps", "Candidates × iterations × horizon imagined for a frame while driving, mean over frames."
    ),
    "search_share": Metric(
        "Search in time",
        "Imagined steps, of those that the parameters candidates and iterations ask for. Below 100 % this machine has "
        "no time for the rest; docs/planning.md has what the score loses by it.",
        unit="%",
        better="higher",
    ),
}

BENCHMARK = {
    "bootstrap_interval": Metric(
        "95 % interval",
        "Percentile bootstrap: the mean of the episodes, resampled with replacement 2,000 times; from the 2.5th to "
        "the 97.5th percentile. Too narrow with fewer than ten episodes.",
        source="Efron & Tibshirani 1993",
    ),
    "failed_episodes": Metric(
        "Failed episodes",
        "Episodes that could not be finished, because the controller or the simulator crashed or stopped. "
        "Each counts in all means with what was driven until then.",
        better="lower",
    ),
    "paired_difference": Metric(
        "Paired difference",
        "Mean over tracks of one controller's score minus the other's on the same track. Tracks differ much more than "
        "controllers do, so this distinguishes two of them much sooner than their means.",
    ),
    "progress": Metric(
        "Progress",
        "Share of the track's tiles that were driven over, from the rewards: CarRacing gives 1000 points for all tiles "
        "together and takes 0.1 for each frame.",
        unit="%",
        better="higher",
    ),
    "lap_finished": Metric(
        "Laps finished",
        "Share of the episodes that ended with every tile of the track driven over. A lap that skips one continues "
        "past the start line, as in gymnasium's CarRacing-v3. In the town: that reached their goal.",
        unit="%",
        better="higher",
    ),
    "steps": Metric("Steps", "Control periods until the episode ended."),
    "time_s": Metric("Driven time", "Simulated time from the first picture to the last step.", unit="s"),
    "lane_invasions_per_min": Metric(
        "Lane invasions by time",
        "Events of the simulator's lane invasion sensor per minute of simulated time. In the built-in simulator: one "
        "more wheel left the road, or in traffic the car touched a marking.",
        unit="1/min",
        better="lower",
    ),
    "lane_invasions_per_km": Metric(
        "Lane invasions by distance",
        "The same events of all drives together per kilometre of all together.",
        unit="1/km",
        better="lower",
    ),
    "collisions": Metric(
        "Collisions",
        "Events of the simulator's collision sensor per episode. In the built-in simulator: the car left the field, "
        "or in traffic hit another one.",
        better="lower",
    ),
    "distance_m": Metric("Distance", "Distance driven, from odometry, or from the speed without odometry.", unit="m"),
    "mean_speed_mps": Metric("Mean speed", "Mean speed in vehicle_status over the steps.", unit="m/s"),
    "settled_speed_mps": Metric(
        "Mean speed after 5 s",
        "Mean speed in vehicle_status without the first 5 s of an episode, to compare with a target speed.",
        unit="m/s",
    ),
    "max_speed_mps": Metric("Highest speed", "Largest speed in vehicle_status.", unit="m/s"),
    "lateral_acceleration_rms": Metric(
        "Lateral acceleration, RMS",
        "Root mean square of the acceleration in vehicle_status perpendicular to the car's heading.",
        unit="m/s²",
        better="lower",
    ),
    "lateral_acceleration_p95": Metric(
        "Lateral acceleration, p95", "95 of 100 steps had at most this absolute value.", unit="m/s²", better="lower"
    ),
    "jerk_rms": Metric(
        "Jerk, RMS",
        "Root mean square of the change of the acceleration vector in the map between steps, divided by the time step.",
        unit="m/s³",
        better="lower",
    ),
    "jerk_max": Metric("Jerk, highest", "The largest of these.", unit="m/s³", better="lower"),
    "slow_steps": Metric(
        "Steps of more than 1 s",
        "Steps that took more than a second of wall time, so a simulator in lock-step continued without a command: "
        "the episode then depends on the load of the machine.",
        better="lower",
    ),
    "steering_change": Metric(
        "Steering change", "Mean absolute change of the applied steering from step to step, of -1 to 1.", better="lower"
    ),
    "sweep_camera_latency": Metric(
        "Camera latency", "Every picture is delayed by this much, and keeps the stamp of when it was taken.", unit="ms"
    ),
    "sweep_camera_jitter": Metric(
        "Camera jitter",
        "Every picture is delayed by the absolute value of a normal random number with this standard deviation; none "
        "overtakes another.",
        unit="ms",
    ),
    "sweep_dropped_frames": Metric("Dropped frames", "Share of the pictures that are lost, at random."),
    "sweep_image_noise": Metric(
        "Image noise", "Normal noise with this standard deviation on every colour of every pixel.", unit="of 255"
    ),
    "sweep_brightness": Metric("Brightness", "Factor on every colour of every pixel."),
    "sweep_actuator_delay": Metric("Actuator delay", "Every command is delayed by this much.", unit="ms"),
    "sweep_steering_gain": Metric("Steering gain", "The car steers this many times the commanded angle."),
    "sweep_control_divisor": Metric(
        "Control rate divisor", "One in this many commands reaches the car, which holds it until the next."
    ),
}

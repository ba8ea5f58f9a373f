"""What every figure on a page means. Blocks name a key of METRICS, and the page gives the definition on a click.

Sorted by topic; whoever adds a figure to a page defines it here.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A definition. ``better`` is "higher", "lower" or nothing; ``source`` is where it comes from."""

    name: str
    definition: str
    unit: str = ""
    better: str = ""
    source: str = ""

    def __post_init__(self):
        if self.better not in ("", "higher", "lower"):
            raise ValueError(f"metric '{self.name}': better is '{self.better}', expected 'higher', 'lower' or nothing")


_DRIVING = {
    "score": Metric(
        "Score", "Sum of the rewards of an episode. On CarRacing a whole lap gives about 900.", better="higher"
    ),
    "score_interval": Metric(
        "95 % interval of the mean score",
        "If the drive were repeated on other tracks of the same kind, 95 of 100 such intervals would hold the true "
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
        "Mean absolute difference between the imagined picture and the one that came, over pixels and colours.",
        unit="of 255",
        better="lower",
    ),
}

_LATENCY = {
    "command_latency": Metric(
        "Latency of a command",
        "Wall time from the moment a step's image was due until its command reached the simulator. p50, p95 and p99 "
        "are percentiles over all commands: 99 of 100 commands took at most the p99.",
        unit="ms",
        better="lower",
    ),
    "deadline_misses": Metric(
        "Missed deadlines",
        "Steps whose command came later than one control period after the image, or not at all.",
        better="lower",
    ),
}

_RECORDED = {
    "hours": Metric("Hours of driving", "Rows times the time between two rows, over the episodes whose rate is known."),
    "rows": Metric("Rows", "Time steps: a picture with its vector, the action that followed and the reward of that."),
    "gap": Metric(
        "Gap",
        "Time between two rows of an episode that is more than 1.5 times the usual one. A model learns wrong motion "
        "from it.",
        unit="s",
        better="lower",
    ),
    "row_reward": Metric("Reward of a row", "What the action of the row led to, as it is stored in the episode."),
}

_TRAINING = {
    "pixel_mse": Metric(
        "Mean squared pixel error",
        "Of the decoded picture against the observed one, over pixels and colours, on the scale 0 to 1.",
        better="lower",
    ),
    "kl": Metric(
        "KL",
        "Kullback-Leibler divergence of posterior from prior, before free bits: what a picture tells that the model "
        "did not predict. Near zero the posterior ignores the picture; very high the prior cannot predict.",
        unit="nats per step",
    ),
    "reward_loss": Metric(
        "Reward loss", "Loss of the reward head. Its scale depends on the reward and on scalar_head.", better="lower"
    ),
    "dynamics_loss": Metric(
        "Dynamics loss", "Mean squared distance of the predicted from the encoded latent.", better="lower"
    ),
    "total_loss": Metric("Total loss", "Weighted sum of all losses, the one that is minimised.", better="lower"),
    "gradient_norm": Metric(
        "Gradient norm", "Euclidean norm of all gradients before clipping. One that grows warns of divergence."
    ),
    "learning_rate": Metric("Learning rate", "Step size of the optimiser at that update."),
    "throughput": Metric(
        "Throughput", "Frames that went through training in a second of wall time.", unit="frames/s", better="higher"
    ),
}

_IMAGINATION = {
    "psnr": Metric(
        "PSNR",
        "Peak signal-to-noise ratio of a predicted picture: 10 log10(1 / mean squared error), pixels in [0, 1], the "
        "errors averaged first; at most 100 dB. It favours blurred pictures, so compare it with the reconstruction, "
        "which has seen the picture, and with a copy of the last frame.",
        unit="dB",
        better="higher",
    ),
    "ssim": Metric(
        "SSIM",
        "Structural similarity of a predicted picture: means, variances and covariance under a Gaussian window of 11 "
        "px with a standard deviation of 1.5 px, pixels in [0, 1], colours averaged. 1 for equal pictures.",
        better="higher",
        source="Wang et al., Image quality assessment: from error visibility to structural similarity, 2004",
    ),
    "reward_error": Metric(
        "Reward error",
        "Mean absolute difference of the reward imagined k steps ahead from the recorded one.",
        unit="reward",
        better="lower",
    ),
    "return_error": Metric(
        "Return error",
        "Mean absolute difference of imagined and recorded return: the sum of the rewards of the first k steps, each "
        "weighted by the imagined probability that the episode got that far.",
        unit="reward",
        better="lower",
    ),
    "rank_correlation": Metric(
        "Rank correlation of the return",
        "Spearman's correlation of imagined and recorded returns over all windows, equal values share their rank: 1 "
        "where the model puts futures in their real order, 0 where it knows nothing of it. A planner needs the order.",
        better="higher",
        source="Spearman, The proof and measurement of association between two things, 1904",
    ),
    "break_even": Metric(
        "Break-even horizon",
        "The steps ahead over which the model's error is below that of a baseline that knows nothing of motion: the "
        "last frame or the last reward, held, or the data's mean. Beyond it imagination is worth nothing.",
        unit="steps",
        better="higher",
    ),
    "action_gap": Metric(
        "Gap made by shuffled actions",
        "How much worse the predictions get when each window is imagined with the actions of another one. Near 0 the "
        "model ignores its actions and cannot be planned with.",
        better="higher",
    ),
    "aleatoric": Metric(
        "Aleatoric uncertainty",
        "Standard deviation of the reward over sampled futures: chance, as the model sees it. It stays however much is "
        "learned.",
        unit="reward",
    ),
    "epistemic": Metric(
        "Epistemic uncertainty",
        "Standard deviation of the reward over the heads of an ensemble in the mean future: what the model was not "
        "taught. It shrinks with data.",
        unit="reward",
    ),
    "inside_samples": Metric(
        "Real return inside the samples",
        "How often the recorded return lies between the lowest and the highest of N sampled futures. (N - 1) / (N + 1) "
        "would be right; below it the model is too sure.",
    ),
    "brier": Metric(
        "Brier score",
        "Mean squared distance of the predicted probability that the episode goes on from what happened, 1 or 0. 0 is "
        "perfect; compare it with the score of somebody who always says the share of steps that go on.",
        better="lower",
        source="Brier, Verification of forecasts expressed in terms of probability, 1950",
    ),
    "reliability": Metric(
        "Reliability",
        "Of all steps to which the model gave about the same probability: the share that did go on. A calibrated model "
        "lies on the diagonal. The expected calibration error is the mean distance from it, weighted by the counts.",
        source="Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, 2015",
    ),
    "interval": Metric(
        "95 % interval",
        "Percentile bootstrap: the figure again for many draws, with replacement, of whole segments of the drive, "
        "since neighbouring frames are not independent. Of two models the same segments are drawn. Wide with few "
        "segments.",
        source="Efron & Tibshirani, An introduction to the bootstrap, 1993",
    ),
}

_REPLAYED = {
    "action_mae": Metric(
        "Mean absolute action error",
        "Distance of the command that the planner would have given from the recorded one, averaged over the frames. "
        "The recorded driver need not be right.",
        better="lower",
    ),
    "action_rmse": Metric(
        "Root mean squared action error",
        "As the mean absolute one, but large distances count more.",
        better="lower",
    ),
    "sign_agreement": Metric(
        "Same side in curves",
        "Share of the frames with a recorded steer beyond ±0.1 in which the planner steers to the same side.",
        better="higher",
    ),
    "one_step": Metric(
        "One step ahead",
        "The picture as the belief expected it before the frame came (prior), and as the belief that has seen the "
        "frame reconstructs it (posterior). The distance of the two is what the model did not foresee.",
        unit="dB",
        better="higher",
    ),
    "braking_share": Metric(
        "Share of braking",
        "Share of the frames in which the planner gave up and braked instead of driving.",
        better="lower",
    ),
    "degraded_share": Metric(
        "Share of degraded driving",
        "Share of the frames in which the planner drove on with less than it should have, such as a missing camera.",
        better="lower",
    ),
    "planner_latency": Metric(
        "Latency of the planner",
        "Wall time to put a frame into the belief (observe), to search for a command (plan), and of both, on the "
        "machine named below. p99: 99 of 100 frames took at most that long.",
        unit="ms",
        better="lower",
    ),
    "moment": Metric(
        "Moments worth watching",
        "The frames of the largest surprise, of the largest distance from the recorded command, and of the worst "
        "predicted picture, at least 2 s apart.",
    ),
}

_LIVE_REPLAY = {
    "replay_dropped": Metric(
        "Dropped frames",
        "Frames of the bag that the running planner sent no command for: its subscription keeps only the newest "
        "picture, so those that come while it plans are lost.",
        better="lower",
    ),
    "replay_latency": Metric(
        "Camera to command",
        "Wall time from the arrival of a picture to the arrival of the command that answers it, both received by one "
        "other process. p99: 99 of 100 commands took at most that long.",
        unit="ms",
        better="lower",
    ),
    "replay_deadline": Metric(
        "Deadline misses",
        "Commands that left later after the receipt of their picture than the planner's parameter deadline_ms.",
        better="lower",
    ),
    "replay_agreement": Metric(
        "Agreement",
        "Share of the commands that differ by at most 0.02 in steer, throttle and brake from those that the evaluation "
        "of the same bag and bundle gives in one process, where nothing is late or lost. Joined by stamp.",
        better="higher",
    ),
    "replay_unasked": Metric(
        "Unasked brakes",
        "Brakes while the bag played that answer no picture: no picture had come for longer than image_timeout_s.",
        better="lower",
    ),
}

_BENCHMARK = {
    "bootstrap_interval": Metric(
        "95 % interval",
        "Percentile bootstrap: the mean of the episodes, drawn again with replacement 2,000 times; from the 2.5th to "
        "the 97.5th percentile. Of fewer than ten episodes it is too narrow.",
        source="Efron & Tibshirani 1993",
    ),
    "failed_episodes": Metric(
        "Failed episodes",
        "Episodes that could not be driven to their end, because the controller or the simulator crashed or stopped. "
        "Each counts in all means with what was driven until then.",
        better="lower",
    ),
    "paired_difference": Metric(
        "Paired difference",
        "Mean over tracks of one controller's score less the other's on the same track. Tracks differ much more than "
        "controllers do, so this tells two of them apart much sooner than their means.",
    ),
    "progress": Metric(
        "Progress",
        "Share of the track's tiles that were driven over, from the rewards: CarRacing gives 1000 points for all tiles "
        "together and takes 0.1 for each frame.",
        unit="%",
        better="higher",
    ),
    "lap_finished": Metric(
        "Laps finished", "Share of the episodes that ended at the finish with 95 % of the tiles driven.", unit="%",
        better="higher",
    ),
    "steps": Metric("Steps", "Control periods until the episode ended."),
    "time_s": Metric("Driven time", "Simulated time from the first picture to the last step.", unit="s"),
    "lane_invasions_per_min": Metric(
        "Lane invasions by time",
        "Events of the simulator's lane invasion sensor in a minute of simulated time. In the built-in simulator: one "
        "more wheel left the road.",
        unit="1/min",
        better="lower",
    ),
    "lane_invasions_per_km": Metric(
        "Lane invasions by distance", "The same events in a kilometre.", unit="1/km", better="lower"
    ),
    "collisions": Metric(
        "Collisions",
        "Events of the simulator's collision sensor in an episode. In the built-in simulator: the car left the field.",
        better="lower",
    ),
    "distance_m": Metric("Distance", "Length of the way by odometry, or by the speed where there is none.", unit="m"),
    "mean_speed_mps": Metric("Mean speed", "Mean over the steps of the speed in vehicle_status.", unit="m/s"),
    "max_speed_mps": Metric("Highest speed", "Largest speed in vehicle_status.", unit="m/s"),
    "lateral_acceleration_rms": Metric(
        "Lateral acceleration, RMS",
        "Root mean square of the acceleration in vehicle_status, across the car's heading.",
        unit="m/s²",
        better="lower",
    ),
    "lateral_acceleration_p95": Metric(
        "Lateral acceleration, p95", "95 of 100 steps had at most this absolute value.", unit="m/s²", better="lower"
    ),
    "jerk_rms": Metric(
        "Jerk, RMS",
        "Root mean square of the change of the acceleration vector from step to step, in the map, by the time between.",
        unit="m/s³",
        better="lower",
    ),
    "jerk_max": Metric("Jerk, highest", "The largest of these.", unit="m/s³", better="lower"),
    "slow_steps": Metric(
        "Steps of more than 1 s",
        "Steps that took more than a second of wall time, so that a simulator in lock-step went on without a command: "
        "the episode then depends on how busy the machine was.",
        better="lower",
    ),
    "steering_change": Metric(
        "Steering change", "Mean absolute change of the applied steering from step to step, of -1 to 1.", better="lower"
    ),
    "sweep_camera_latency": Metric(
        "Camera latency", "Every picture comes late by this much, with the stamp of when it was taken.", unit="ms"
    ),
    "sweep_camera_jitter": Metric(
        "Camera jitter",
        "Every picture comes late by the absolute value of a normal random number with this standard deviation; none "
        "overtakes another.",
        unit="ms",
    ),
    "sweep_dropped_frames": Metric("Dropped frames", "Share of the pictures that are lost, at random."),
    "sweep_image_noise": Metric(
        "Image noise", "Normal noise with this standard deviation on every colour of every pixel.", unit="of 255"
    ),
    "sweep_brightness": Metric("Brightness", "Factor on every colour of every pixel."),
    "sweep_actuator_delay": Metric("Actuator delay", "Every command acts late by this much.", unit="ms"),
    "sweep_steering_gain": Metric("Steering gain", "The car steers this many times what it is told."),
    "sweep_control_divisor": Metric(
        "Control rate divisor", "One of so many commands reaches the car, which keeps it until the next."
    ),
}

METRICS: dict[str, Metric] = {
    **_DRIVING, **_LATENCY, **_RECORDED, **_TRAINING, **_IMAGINATION, **_REPLAYED, **_LIVE_REPLAY, **_BENCHMARK,
}  # fmt: skip

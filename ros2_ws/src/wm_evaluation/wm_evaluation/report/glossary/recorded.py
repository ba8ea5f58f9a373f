"""Figures of recordings: datasets, bags evaluated in process and played through the node."""

from wm_evaluation.report.glossary.metric import Metric

RECORDED = {
    "hours": Metric("Hours of driving", "Rows times the time step, over the episodes whose rate is known."),
    "rows": Metric("Rows", "Time steps: a picture with its vector inputs, the action that followed and its reward."),
    "gap": Metric(
        "Gap",
        "Time between two rows of an episode that is more than 1.5 times the usual one. A model learns wrong motion "
        "from it.",
        unit="s",
        better="lower",
    ),
    "row_reward": Metric("Reward of a row", "The reward of the row's action, as stored in the episode."),
}

REPLAYED = {
    "action_mae": Metric(
        "Mean absolute action error",
        "Difference between the planner's command and the recorded one, averaged over the frames. "
        "The recorded driver need not be right.",
        better="lower",
    ),
    "action_rmse": Metric(
        "Root mean squared action error",
        "Like the mean absolute one, but large differences count more.",
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
        "frame reconstructs it (posterior). Their difference is what the model did not foresee.",
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
        "Wall time to update the belief with a frame (observe), to search for a command (plan), and of both, on the "
        "machine named below, over the frames with a search. p99: 99 of 100 of them took at most that long.",
        unit="ms",
        better="lower",
    ),
    "moment": Metric(
        "Moments worth watching",
        "The frames with the largest surprise, the largest difference from the recorded command, and the worst "
        "predicted picture, at least 2 s apart.",
    ),
}

LIVE_REPLAY = {
    "replay_dropped": Metric(
        "Dropped frames",
        "Frames of the bag for which the running planner sent no command: its subscription keeps only the newest "
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
        "Commands sent later after the receipt of their picture than the planner's parameter deadline_ms.",
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
        "Brakes while the bag played that answer no picture: no picture had arrived for longer than image_timeout_s.",
        better="lower",
    ),
}

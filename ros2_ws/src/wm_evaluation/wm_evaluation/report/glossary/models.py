"""Figures of models: training runs and open-loop imagination."""

from wm_evaluation.report.glossary.metric import Metric

TRAINING = {
    "pixel_mse": Metric(
        "Mean squared pixel error",
        "Between the decoded and the observed picture, over pixels and colours, on the scale 0 to 1.",
        better="lower",
    ),
    "kl": Metric(
        "KL",
        "Kullback-Leibler divergence of posterior from prior, before free bits: the part of a picture that the model "
        "did not predict. Near zero, the posterior ignores the picture; if very high, the prior cannot predict.",
        unit="nats per step",
    ),
    "reward_loss": Metric(
        "Reward loss", "Loss of the reward head. Its scale depends on the reward and on scalar_head.", better="lower"
    ),
    "dynamics_loss": Metric(
        "Dynamics loss", "Mean squared difference of the predicted and the encoded latent.", better="lower"
    ),
    "vector_loss": Metric(
        "Error of imagined vector inputs",
        "Root mean square error of what the model says of its vector inputs (speed and others) up to open_loop_steps "
        "ahead, imagined from the recorded actions. 1 is as good as always saying their mean.",
        unit="standard deviations",
        better="lower",
    ),
    "total_loss": Metric("Total loss", "Weighted sum of all losses, the one that is minimised.", better="lower"),
    "gradient_norm": Metric(
        "Gradient norm", "Euclidean norm of all gradients before clipping. Growth warns of divergence."
    ),
    "learning_rate": Metric("Learning rate", "Step size of the optimiser at that update."),
    "throughput": Metric("Throughput", "Frames trained on per second of wall time.", unit="frames/s", better="higher"),
}

IMAGINATION = {
    "psnr": Metric(
        "PSNR",
        "Peak signal-to-noise ratio of a predicted picture: 10 log10(1 / mean squared error), pixels in [0, 1], the "
        "errors averaged first; at most 100 dB. It favours blurred pictures, so compare it with the reconstruction, "
        "which has seen the picture, and with a copy of the last frame.",
        unit="dB",
        better="higher",
    ),
    "signal_error": Metric(
        "Error of a vector input",
        "Mean absolute error, in its unit, of what the model imagines of a vector input (speed, yaw rate and others) k "
        "steps ahead. The baseline is the last one that was seen.",
        better="lower",
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
        "Mean absolute difference between the reward imagined k steps ahead and the recorded one.",
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
        "if the model ranks futures correctly, 0 if its ranking is random. A planner needs the ranking.",
        better="higher",
        source="Spearman, The proof and measurement of association between two things, 1904",
    ),
    "break_even": Metric(
        "Break-even horizon",
        "The steps ahead over which the model's error is below that of a baseline that ignores motion: the "
        "last frame or the last reward, held, or the data's mean. Beyond it, imagination is useless.",
        unit="steps",
        better="higher",
    ),
    "action_gap": Metric(
        "Gap caused by shuffled actions",
        "How much worse the predictions get when each window is imagined with the actions of another one. Near 0 the "
        "model ignores its actions and cannot be planned with.",
        better="higher",
    ),
    "aleatoric": Metric(
        "Aleatoric uncertainty",
        "Standard deviation of the reward over sampled futures: randomness, as the model sees it. It remains however "
        "much is learned.",
        unit="reward",
    ),
    "epistemic": Metric(
        "Epistemic uncertainty",
        "Standard deviation of the reward over the heads of an ensemble in the mean future: what the model has not "
        "learned. It shrinks with more data.",
        unit="reward",
    ),
    "inside_samples": Metric(
        "Real return inside the samples",
        "How often the recorded return is between the lowest and the highest of N sampled futures. (N - 1) / (N + 1) "
        "would be right; below it, the model is overconfident.",
    ),
    "brier": Metric(
        "Brier score",
        "Mean squared difference of the predicted probability that the episode continues and the outcome, 1 or 0. 0 is "
        "perfect; compare it with the score of always predicting the share of steps that continue.",
        better="lower",
        source="Brier, Verification of forecasts expressed in terms of probability, 1950",
    ),
    "reliability": Metric(
        "Reliability",
        "Of all steps with about the same predicted probability: the share that did continue. A calibrated model "
        "is on the diagonal. The expected calibration error is the mean distance from it, weighted by the counts.",
        source="Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, 2015",
    ),
    "interval": Metric(
        "95 % interval",
        "Percentile bootstrap: the figure again for many draws, with replacement, of entire segments of the drive, "
        "since neighbouring frames are not independent. For two models, the same segments are drawn. Wide with few "
        "segments.",
        source="Efron & Tibshirani, An introduction to the bootstrap, 1993",
    ),
}

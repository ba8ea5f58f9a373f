"""Figures of models: training runs and open-loop imagination."""

from wm_evaluation.report.glossary.metric import Metric

TRAINING = {
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

IMAGINATION = {
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
        "Standard deviation of the reward over sampled futures: randomness, as the model sees it. It stays however "
        "much is learned.",
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
        "Percentile bootstrap: the figure again for many draws, with replacement, of entire segments of the drive, "
        "since neighbouring frames are not independent. Of two models the same segments are drawn. Wide with few "
        "segments.",
        source="Efron & Tibshirani, An introduction to the bootstrap, 1993",
    ),
}

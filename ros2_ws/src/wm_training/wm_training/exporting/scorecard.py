"""The open-loop scorecard of a bundle: the quality of the model's imagination on its validation episodes."""

from wm_bundle import Estimate, OpenLoopScores
from wm_data.episodes import EpisodeError
from wm_evaluation.command_line import say
from wm_evaluation.scorecard.summary import summarise

from wm_training.data.dataset import SequenceDataset
from wm_training.imagination.scorecard import measure, plan_windows
from wm_training.imagination.visualize_options import WindowSettings
from wm_training.model.open_loop import open_loop
from wm_training.model.world_model import WorldModel

STEPS = (1, 5, 15)
"""Steps ahead that a bundle has figures for."""


def open_loop_scores(
    model: WorldModel, validation: SequenceDataset, mean_reward: float, seed: int
) -> OpenLoopScores | None:
    """Score the ``validation`` split; ``mean_reward`` is the training split's. None where every episode is too short.

    The intervals are of resampled episodes. Raises TrainingError for a model that imagines numbers that are not finite.
    """
    settings = WindowSettings(horizon=max(STEPS), seed=seed)
    try:
        windows = plan_windows(validation.episodes, settings)
    except EpisodeError:
        say("export", f"no validation episode has {settings.rows} rows: bundle.json gets no open-loop scorecard")
        return None

    def predict(batch, number):
        return open_loop(model, batch, settings.context, 1, number, decoded_samples=0)

    measurements = measure(validation.episodes, windows, predict, settings)
    card = summarise(measurements, settings, mean_reward)
    curves = card["curves"]
    return OpenLoopScores(
        steps=STEPS,
        context=settings.context,
        windows=card["windows"]["count"],
        drives=card["windows"]["segments"],
        psnr_db={name: _at_steps(curves["psnr_db"][name]) for name in ("imagined", "copy_last")},
        reward_error={
            name: _at_steps(curves["reward_mean_absolute_error"][of])
            for name, of in (("imagined", "imagined"), ("mean_reward", "data_mean"))
        },
        vector_error={
            name: {guess: _at_steps(curve) for guess, curve in guesses.items()}
            for name, guesses in curves["signals"].items()
            if all(guesses["imagined"]["value"][step - 1] is not None for step in STEPS)
        },
    )


def _at_steps(curve: dict) -> tuple[Estimate, ...]:
    return tuple(Estimate(curve["value"][step - 1], *curve["ci95"][step - 1]) for step in STEPS)

"""Makes the self-check of a bundle: inputs (questions), their float32 answers, and the allowed differences.

Shapes: B beliefs, N plans, H horizon, F belief features.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from wm_bundle import BundleManifest, SelfCheckSpec, from_command
from wm_bundle.manifest import SELF_CHECK_FILE
from wm_bundle.parity import scattered_plans
from wm_bundle.self_check import Questions, write_self_check
from wm_bundle.self_check_measures import Functions, ask, differences, limits_for
from wm_evaluation.imagined_frames import Observation

from wm_training.exporting.file_model import FileModel

_BELIEFS, _PLANS = 16, 32  # about 0.1 s of work, and some ten kilobytes
_STEPS = np.float32(128.0)  # of a plan between 0 and 1: rounded numbers compress to a third


def add_self_check(
    manifest: BundleManifest,
    files: dict[str, Path],
    functions: Functions,
    reference: str,
    frames: Sequence[Observation],
    folder: Path,
    seed: int = 0,
) -> tuple[BundleManifest, dict[str, Path]]:
    """``manifest`` and ``files`` with a self-check, which is written to ``folder``.

    Its answers are those of ``functions`` about ``frames``, computed as in ``reference``; the differences of ``files``
    are measured here."""
    questions = _questions(functions, frames, np.random.default_rng(seed))
    answers = ask(functions, questions, manifest)
    measured = differences(questions, answers, ask(FileModel(manifest, files), questions, manifest))
    file = folder / SELF_CHECK_FILE
    write_self_check(file, questions, answers)
    spec = SelfCheckSpec(reference, limits_for(measured), measured)
    return replace(manifest, self_check=spec), files | {SELF_CHECK_FILE: file}


def _questions(functions: Functions, frames: Sequence[Observation], random: np.random.Generator) -> Questions:
    """Beliefs spread over ``frames``, the observation that follows the first one, and plans around the actor's."""
    beliefs = []
    for frame in frames:
        before = beliefs[-1] if beliefs else functions.initial_belief()
        belief, _ = functions.observe(frame.image, frame.vector, frame.previous_action, before, frame.is_first)
        beliefs.append(belief)
    chosen = np.unique(np.linspace(0, len(frames) - 1, _BELIEFS + 1).astype(int)[1:])  # the first belief knows little
    plans = [scattered_plans(from_command(functions.actor(beliefs[i])[0]), random)[:_PLANS] for i in chosen]
    asked = frames[min(chosen[0] + 1, len(frames) - 1)]
    return Questions(
        image=asked.image,
        vector=np.asarray(asked.vector, np.float32),
        previous_action=np.asarray(asked.previous_action, np.float32),
        beliefs=np.concatenate([beliefs[i] for i in chosen]),
        plans=np.round(np.stack(plans) * _STEPS) / _STEPS,
    )

"""Runs a bundle's functions on its self-check, and measures the differences from the expected answers.

The measures are those of ``export``'s parity: B beliefs, N plans, H steps.
"""

from typing import Any, Protocol

import numpy as np

from wm_bundle import BundleManifest, to_command
from wm_bundle.parity import discounted_returns, relative_difference, weighted_action
from wm_bundle.self_check import Answers, Questions

# What any processor and provider may add to the differences measured where the bundle was made: other orders of
# summation, TF32, half precision. Saturated sums are far beyond it.
_SLACK = {
    "belief": 0.05,
    "return": 0.02,
    "action": 0.02,
    "actor": 0.05,
    "picture": 2.0,
    "vector": 0.02,
    "reward_terms": 0.02,
}
_FACTOR = 1.25


class Functions(Protocol):
    """The four functions of a bundle, as in ``wm_planner.engine.engine.Engine``; returned arrays may be overwritten
    later."""

    def observe(self, image, vector, previous_action, belief, is_first: bool) -> tuple[np.ndarray, float]:
        """The next belief (1, F), and the surprise."""

    def imagine(self, belief, actions, noise) -> Any:
        """``reward``, ``continues`` and ``value``, (N, H) each; ``vector`` (N, H, V) and ``reward_terms`` (N, H, R) or
        None."""

    def actor(self, belief) -> tuple[np.ndarray, np.ndarray]:
        """Commands (H, 3), and deviations."""

    def decode(self, beliefs) -> np.ndarray:
        """Pictures (M, C, height, width) uint8."""

    def zero_noise(self, candidates: int) -> np.ndarray:
        """Noise (N, H, S)."""


def ask(functions: Functions, questions: Questions, manifest: BundleManifest) -> Answers:
    """The answers of ``functions``, those of the bundle with this ``manifest``."""
    first = questions.beliefs[:1]
    next_belief, _ = functions.observe(questions.image, questions.vector, questions.previous_action, first, False)
    returns, actor, vectors, terms = [], [], [], []
    mean, std = (np.array([getattr(spec, part) for spec in manifest.vector], np.float32) for part in ("mean", "std"))
    noise = functions.zero_noise(questions.plans.shape[1])
    for belief, plans in zip(questions.beliefs[:, None], questions.plans, strict=True):
        said = functions.imagine(belief, to_command(plans), noise)
        returns.append(discounted_returns(said.reward, said.continues, said.value, manifest.discount))
        if manifest.imagines_vector:
            vectors.append((said.vector[:, -1] - mean) / std)
        if manifest.reward_terms:
            terms.append(np.array(said.reward_terms[:, -1]))
        actor.append(np.array(functions.actor(belief)[0]))
    return Answers(
        next_belief=np.array(next_belief[0]),
        returns=np.stack(returns),
        actor=np.stack(actor),
        picture=np.array(functions.decode(first)[0]),
        imagined_vector=np.stack(vectors) if vectors else None,
        imagined_terms=np.stack(terms) if terms else None,
    )


def differences(questions: Questions, expected: Answers, found: Answers) -> dict[str, float]:
    """The differences between ``found`` and ``expected``.

    ``belief``: the largest difference, relative above 1. ``return``: the 99th percentile over the mean size of a return
    (at least 1). ``action``, of the command chosen from the plans by their returns, and ``actor``: the largest.
    ``picture``: the mean of all levels, of 255. ``vector``, in standard deviations, and ``reward_terms``, relative
    above 1: the 99th percentile, where they are imagined.
    """
    sizes = max(1.0, float(np.abs(expected.returns).mean()))
    now = questions.plans[:, :, 0]
    chosen = [
        np.stack([weighted_action(actions, returns) for actions, returns in zip(now, answers.returns, strict=True)])
        for answers in (expected, found)
    ]
    found_signals = {}
    if expected.imagined_vector is not None:
        off = np.abs(expected.imagined_vector - found.imagined_vector)
        found_signals["vector"] = float(np.percentile(off, 99))
    if expected.imagined_terms is not None:
        off = relative_difference(expected.imagined_terms, found.imagined_terms)
        found_signals["reward_terms"] = float(np.percentile(off, 99))
    return {
        "belief": float(relative_difference(expected.next_belief, found.next_belief).max()),
        "return": float(np.percentile(np.abs(expected.returns - found.returns), 99) / sizes),
        "action": float(np.abs(chosen[0] - chosen[1]).max()),
        "actor": float(np.abs(expected.actor - found.actor).max()),
        "picture": float(np.abs(expected.picture.astype(np.int16) - found.picture).mean()),
        **found_signals,
    }


def limits_for(measured: dict[str, float]) -> dict[str, float]:
    """The limits for any machine, given the differences ``measured`` on a sound one."""
    return {name: _FACTOR * value + _SLACK[name] for name, value in measured.items()}

"""Runs a bundle's functions on its self-check, and measures the differences from the expected answers.

The measures are those of ``export``'s parity: B beliefs, N plans, H steps.
"""

from typing import Any, Protocol

import numpy as np

from wm_bundle import to_command
from wm_bundle.parity import discounted_returns, relative_difference, weighted_action
from wm_bundle.self_check import Answers, Questions

# What any processor and provider may add to the differences measured where the bundle was made: other orders of
# summation, TF32, half precision. Saturated sums are far beyond it.
_SLACK = {"belief": 0.05, "return": 0.02, "action": 0.02, "actor": 0.05, "picture": 2.0}
_FACTOR = 1.25


class Functions(Protocol):
    """The four functions of a bundle, as in ``wm_planner.engine.engine.Engine``; returned arrays may be overwritten
    later."""

    def observe(self, image, vector, previous_action, belief, is_first: bool) -> tuple[np.ndarray, float]:
        """The next belief (1, F), and the surprise."""

    def imagine(self, belief, actions, noise) -> Any:
        """``reward``, ``continues`` and ``value``, (N, H) each."""

    def actor(self, belief) -> tuple[np.ndarray, np.ndarray]:
        """Commands (H, 3), and deviations."""

    def decode(self, beliefs) -> np.ndarray:
        """Pictures (M, C, height, width) uint8."""

    def zero_noise(self, candidates: int) -> np.ndarray:
        """Noise (N, H, S)."""


def ask(functions: Functions, questions: Questions, discount: float) -> Answers:
    """The answers of ``functions``; ``discount`` of the bundle."""
    first = questions.beliefs[:1]
    next_belief, _ = functions.observe(questions.image, questions.vector, questions.previous_action, first, False)
    returns, actor = [], []
    noise = functions.zero_noise(questions.plans.shape[1])
    for belief, plans in zip(questions.beliefs[:, None], questions.plans, strict=True):
        said = functions.imagine(belief, to_command(plans), noise)
        returns.append(discounted_returns(said.reward, said.continues, said.value, discount))
        actor.append(np.array(functions.actor(belief)[0]))
    return Answers(np.array(next_belief[0]), np.stack(returns), np.stack(actor), np.array(functions.decode(first)[0]))


def differences(questions: Questions, expected: Answers, found: Answers) -> dict[str, float]:
    """The differences between ``found`` and ``expected``.

    ``belief``: the largest difference, relative above 1. ``return``: the 99th percentile over the mean size of a return
    (at least 1). ``action``, of the command chosen from the plans by their returns, and ``actor``: the largest.
    ``picture``: the mean of all levels, of 255.
    """
    sizes = max(1.0, float(np.abs(expected.returns).mean()))
    now = questions.plans[:, :, 0]
    chosen = [
        np.stack([weighted_action(actions, returns) for actions, returns in zip(now, answers.returns, strict=True)])
        for answers in (expected, found)
    ]
    return {
        "belief": float(relative_difference(expected.next_belief, found.next_belief).max()),
        "return": float(np.percentile(np.abs(expected.returns - found.returns), 99) / sizes),
        "action": float(np.abs(chosen[0] - chosen[1]).max()),
        "actor": float(np.abs(expected.actor - found.actor).max()),
        "picture": float(np.abs(expected.picture.astype(np.int16) - found.picture).mean()),
    }


def limits_for(measured: dict[str, float]) -> dict[str, float]:
    """The limits for any machine, given the differences ``measured`` on a sound one."""
    return {name: _FACTOR * value + _SLACK[name] for name, value in measured.items()}

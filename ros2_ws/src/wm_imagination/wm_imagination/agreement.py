"""Whether a roll-out answers like the onnxruntime session of the same file."""

import numpy as np

from wm_imagination.library import UnsuitedError
from wm_imagination.rollout import Rollout

_CANDIDATES, _STEPS = 8, 2  # compared; the differences of rounding grow with the steps
_LARGEST_DIFFERENCE = 0.1  # of an output's size, both root mean squares


def agreeing_rollout(content: bytes, session, threads: int = 1) -> Rollout | None:
    """The roll-out of an imagine.onnx that ``session``, an onnxruntime.InferenceSession, has opened; None in float32.

    Raises UnsuitedError where processor or model do not suit, and where its answers differ by more than rounding does.
    """
    if b"MatMulInteger" not in content:
        return None
    rollout = Rollout(content, threads)
    random = np.random.default_rng(0)
    sizes = {entry.name: entry.shape[1:] for entry in session.get_inputs()}
    given = {name: random.normal(size=(_CANDIDATES, *size)).astype(np.float32) for name, size in sizes.items()}
    given |= {"belief": np.tanh(given["belief"][:1]), "actions": np.tanh(given["actions"])}
    outputs = (*rollout.heads, "beliefs")
    expected = dict(zip(outputs, session.run(outputs, given), strict=True))
    found = {name: np.empty_like(values) for name, values in expected.items()}
    rollout(given["belief"], given["actions"], given["noise"], found)
    for name, right in expected.items():
        size, off = (float(np.sqrt(np.square(part[:, :_STEPS]).mean())) for part in (right, found[name] - right))
        if not off <= _LARGEST_DIFFERENCE * size + 1e-3:  # also NaN
            raise UnsuitedError(f"its {name} differs from onnxruntime's by {off:.2g}, of {size:.2g}")
    return rollout

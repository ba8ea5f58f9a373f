"""Runs the four files of a bundle with onnxruntime, on the best execution provider that really works.

Shapes: N candidates, H horizon, F belief features, S stochastic size, V vector inputs, C channels, M any number.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from wm_bundle import BUNDLE_FILES, Bundle

from wm_planner.errors import EngineError, NonFiniteError

PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")

# What docs/architecture.md promises of each file: inputs, then outputs.
_INTERFACE = {
    "observe.onnx": (("image", "vector", "previous_action", "belief", "is_first"), ("next_belief", "surprise")),
    "imagine.onnx": (("belief", "actions", "noise"), ("reward", "continue", "value", "beliefs")),
    "actor.onnx": (("belief",), ("actions", "std")),
    "decode.onnx": (("belief",), ("image",)),
}


@dataclass(frozen=True)
class EngineSettings:
    """How onnxruntime runs.

    ``threads`` compute threads per call. ``spin`` keeps idle threads in a busy loop: faster alone, slower when the
    cores are shared with a simulator. ``providers`` are tried in this order.
    """

    threads: int = 1
    spin: bool = False
    providers: tuple[str, ...] = PROVIDERS


@dataclass(frozen=True)
class Imagined:
    """What imagine.onnx says of N candidates: each (N, H) float32; entry h is the state reached by action h."""

    reward: np.ndarray
    continues: np.ndarray
    value: np.ndarray


class Engine:
    """The bundle's four functions. Every output is checked to be finite (NonFiniteError)."""

    def __init__(self, bundle: Bundle, settings: EngineSettings, log: Callable[[str], None]):
        """Open the sessions. ``log`` takes a line for the provider chosen and for each one refused.

        Raises EngineError when no provider can run the bundle.
        """
        self.manifest = bundle.manifest
        self._bundle = bundle
        self._settings = settings
        manifest = bundle.manifest
        self._noise_shape = (manifest.horizon, manifest.latent.stochastic)
        self._sessions: dict[str, ort.InferenceSession] = {}
        self.provider = self._choose_provider(log)

    def observe(self, image: np.ndarray, vector: np.ndarray, previous_action: np.ndarray, belief: np.ndarray,
                is_first: bool) -> tuple[np.ndarray, float]:
        """Take in one observation.

        ``image`` (C, height, width) uint8, ``vector`` (V,) physical units, ``previous_action`` (3,), ``belief``
        (1, F). Returns the new belief (1, F) and the surprise [nats].
        """
        belief, surprise = self._run("observe.onnx", None, {
            "image": image[None],
            "vector": np.asarray(vector, np.float32).reshape(1, -1),
            "previous_action": np.asarray(previous_action, np.float32).reshape(1, 3),
            "belief": belief,
            "is_first": np.array([1.0 if is_first else 0.0], np.float32),
        })
        return belief, float(surprise[0])

    def imagine(self, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> Imagined:
        """Imagine N futures: ``belief`` (1, F), ``actions`` (N, H, 3), ``noise`` (N, H, S) standard normal."""
        feeds = {"belief": belief, "actions": actions, "noise": noise}
        return Imagined(*self._run("imagine.onnx", ["reward", "continue", "value"], feeds))

    def imagine_beliefs(self, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The beliefs (N, H, F) along N imagined futures; arguments as in ``imagine``."""
        feeds = {"belief": belief, "actions": actions, "noise": noise}
        return self._run("imagine.onnx", ["beliefs"], feeds)[0]

    def actor(self, belief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The actor's mean actions (H, 3) along its own imagined future, and its std (2,) now."""
        actions, std = self._run("actor.onnx", None, {"belief": belief})
        return actions[0], std[0]

    def decode(self, beliefs: np.ndarray) -> np.ndarray:
        """Pictures (M, C, height, width) uint8 of beliefs (M, F)."""
        return self._run("decode.onnx", None, {"belief": beliefs})[0]

    def initial_belief(self) -> np.ndarray:
        """The belief (1, F) to pass with the first observation of an episode."""
        return np.zeros((1, self.manifest.latent.belief), np.float32)

    def zero_noise(self, candidates: int) -> np.ndarray:
        """Noise (candidates, H, S) for the mean prediction."""
        return np.zeros((candidates, *self._noise_shape), np.float32)

    def warm_up(self, candidates: int, rounds: int = 3) -> dict[str, float]:
        """Run everything ``rounds`` times at its final shapes; returns the last time of each function [ms]."""
        manifest = self.manifest
        image = np.zeros((manifest.image.channels, manifest.image.height, manifest.image.width), np.uint8)
        vector = np.array([entry.mean for entry in manifest.vector], np.float32)
        action = np.zeros(3, np.float32)
        noise = self.zero_noise(candidates)
        times = {}

        def timed(name, function, *arguments):
            begin = time.perf_counter()
            result = function(*arguments)
            times[name] = 1000.0 * (time.perf_counter() - begin)
            return result

        belief = self.initial_belief()
        for round_index in range(rounds):
            belief, _ = timed("observe", self.observe, image, vector, action, belief, round_index == 0)
            actions, _ = timed("actor", self.actor, belief)
            candidate_actions = np.repeat(actions[None], candidates, axis=0)
            timed("imagine", self.imagine, belief, candidate_actions, noise)
            timed("decode", self.decode, belief)
        return times

    def _choose_provider(self, log) -> str:
        available = ort.get_available_providers()
        refusals = []
        for provider in self._settings.providers:
            if provider not in available:
                refusals.append(f"{provider}: not in this build of onnxruntime {ort.__version__}")
            else:
                try:
                    self._sessions = self._open(provider)
                    self.warm_up(candidates=2, rounds=1)
                    log(f"inference on {provider} with {self._settings.threads} thread(s)")
                    return provider
                except EngineError as error:
                    refusals.append(f"{provider}: {error}")
            log(f"refused {refusals[-1]}")
        raise EngineError(f"no execution provider can run the bundle {self._bundle.path}: {'; '.join(refusals)}")

    def _open(self, provider: str) -> dict[str, ort.InferenceSession]:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._settings.threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 4  # what fails comes back as an exception, with its reason
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if self._settings.spin else "0")
        sessions = {}
        for name in BUNDLE_FILES:
            file = self._bundle.file(name)
            try:
                session = ort.InferenceSession(str(file), options, providers=[provider])
            except Exception as error:  # onnxruntime's exceptions have no common base class of their own
                raise EngineError(f"{file} cannot be loaded: {_first_line(error)}") from error
            if session.get_providers()[0] != provider:  # onnxruntime falls back without a word
                raise EngineError(f"{file}: onnxruntime fell back to {session.get_providers()[0]}")
            _check_interface(file, session, _INTERFACE[name])
            sessions[name] = session
        return sessions

    def _run(self, name: str, outputs: list[str] | None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        wanted = outputs or list(_INTERFACE[name][1])
        try:
            results = self._sessions[name].run(wanted, feeds)
        except Exception as error:  # onnxruntime's exceptions have no common base class of their own
            raise EngineError(f"{self._bundle.file(name)} failed: {_first_line(error)}") from error
        for output, result in zip(wanted, results, strict=True):
            if result.dtype != np.uint8 and not np.isfinite(result).all():
                raise NonFiniteError(f"{self._bundle.file(name)}: output '{output}' is not finite")
        return results


def _check_interface(file, session: ort.InferenceSession, interface) -> None:
    found = (tuple(entry.name for entry in session.get_inputs()),
             tuple(entry.name for entry in session.get_outputs()))
    for kind, expected_names, found_names in zip(("inputs", "outputs"), interface, found, strict=True):
        if set(expected_names) != set(found_names):
            raise EngineError(f"{file}: expected the {kind} {', '.join(expected_names)}, "
                              f"found {', '.join(found_names)}; export the bundle again")


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__

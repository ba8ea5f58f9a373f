"""Runs the four files of a bundle with onnxruntime, on the best execution provider that works.

Shapes: N candidates, H horizon, F belief features, S stochastic size, V vector inputs, C channels, K cameras, M any
number. After the first calls at the largest N and M nothing is allocated. Arrays called the engine's own are
overwritten by the next call of the same function.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from wm_bundle import BUNDLE_FILES, Bundle, BundleError, BundleManifest
from wm_bundle.onnx_runtime import onnxruntime as ort
from wm_bundle.self_check import read_self_check

from wm_planner.engine.bindings import RolloutFunction, make_function, run_checked
from wm_planner.engine.imagined import Imagined
from wm_planner.engine.providers import CPU, EngineSettings, first_that_works, half_precision, provider_named
from wm_planner.engine.self_check import NONE, SelfCheck, SelfCheckError, check
from wm_planner.engine.sessions import check_usable, open_session
from wm_planner.errors import EngineError

_SCORES = ("reward", "continue", "value")
_DISAGREEMENT = ("disagreement", "value_disagreement")  # only models with an ensemble
_FIELDS = {"continue": "continues"}  # of Imagined, where an output's name is no Python name
# The interface of each file in docs/architecture.md: inputs, then outputs.
_INTERFACE = {
    "observe.onnx": (("image", "vector", "previous_action", "belief", "is_first"), ("next_belief", "surprise")),
    "imagine.onnx": (("belief", "actions", "noise"), (*_SCORES, "beliefs")),
    "actor.onnx": (("belief",), ("actions", "std")),
    "decode.onnx": (("belief",), ("image",)),
}


class Engine:
    """The bundle's four functions. Every output is checked to be finite (NonFiniteError)."""

    def __init__(self, bundle: Bundle, settings: EngineSettings, log: Callable[[str], None], enforce: bool = True):
        """Open the sessions and run the bundle's self-check, if it has one; ``enforce`` refuses a provider that fails
        it.

        ``log`` gets a line for the chosen provider, each refused one and the self-check. Raises EngineError when no
        provider can run the bundle.
        """
        self.manifest = bundle.manifest
        self.self_check: SelfCheck | None = None  # of the chosen provider; None where the bundle has none
        self.unsound: list[str] = []  # providers that failed it, and why
        self.imagination = "onnxruntime"  # what computes imagine.onnx
        self._bundle = bundle
        self._log = log
        self._functions = {}
        self._enforce = enforce
        try:
            self._asked = read_self_check(bundle)
        except BundleError as error:
            raise EngineError(str(error)) from error
        self.provider = first_that_works(settings, self._try, f"bundle {bundle.path}", log)
        log(f"self-check {self.self_check or NONE}")

    def observe(
        self,
        image: np.ndarray,
        vector: np.ndarray,
        previous_action: np.ndarray,
        belief: np.ndarray,
        is_first: bool,
        camera_mask: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        """Update the belief with one observation.

        ``image`` (C, height, width) uint8, ``vector`` (V,) physical units, ``previous_action`` (3,), ``belief``
        (1, F), ``camera_mask`` (K,) 1.0 for each camera with a picture; None: all. Returns the new belief
        (1, F), the caller's own, and the surprise [nats].
        """
        cameras = len(self.manifest.image.cameras)
        feeds = {
            "image": image[None],
            "vector": _row(vector),
            "previous_action": _row(previous_action),
            "belief": belief,
            "is_first": np.array([1.0 if is_first else 0.0], np.float32),
        }
        if cameras > 1:
            feeds["camera_mask"] = np.ones((1, cameras), np.float32) if camera_mask is None else _row(camera_mask)
        belief, surprise = self._call("observe", feeds)
        return belief.copy(), float(surprise[0])

    def imagine(self, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> Imagined:
        """Imagine N futures, the engine's own: ``belief`` (1, F), ``actions`` (N, H, 3), ``noise`` (N, H, S) standard
        normal."""
        return self._said(self._imagined("imagine", belief, actions, noise))

    def imagine_beliefs(self, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """The beliefs (N, H, F) along N imagined futures, the engine's own; arguments as in ``imagine``."""
        return self._imagined("imagine_beliefs", belief, actions, noise)[0]

    def imagine_whole(self, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> tuple[Imagined, np.ndarray]:
        """``imagine`` and ``imagine_beliefs`` in one call."""
        *scores, beliefs = self._imagined("imagine_whole", belief, actions, noise)
        return self._said(scores), beliefs

    def advance(self, belief: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """The belief (1, F) expected after ``actions`` (k, 3), k at most H; the caller's own.

        Raises EngineError for more actions than the bundle's horizon.
        """
        horizon, steps = self.manifest.horizon, len(actions)
        if steps > horizon:
            raise EngineError(f"advance: expected at most {horizon} actions, the bundle's horizon, found {steps}")
        if steps == 0:
            return belief.copy()
        padded = np.zeros((1, horizon, 3), np.float32)  # the padding has no effect
        padded[0, :steps] = actions
        return self.imagine_beliefs(belief, padded, self.zero_noise(1))[:, steps - 1].copy()

    def actor(self, belief: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The actor's mean actions (H, 3) along its own imagined future, and its std (2,) now; the engine's own."""
        actions, std = self._call("actor", {"belief": belief})
        return actions[0], std[0]

    def decode(self, beliefs: np.ndarray) -> np.ndarray:
        """Pictures (M, C, height, width) uint8, the engine's own, of beliefs (M, F)."""
        return self._call("decode", {"belief": beliefs}, len(beliefs))[0]

    def initial_belief(self) -> np.ndarray:
        """The belief (1, F) to pass with the first observation of an episode."""
        return np.zeros((1, self.manifest.latent.belief), np.float32)

    def zero_noise(self, candidates: int) -> np.ndarray:
        """Noise (candidates, H, S) for the mean prediction."""
        return np.zeros((candidates, self.manifest.horizon, self.manifest.latent.stochastic), np.float32)

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
            timed("advance", self.advance, belief, actions)
            timed("imagine", self.imagine, belief, np.repeat(actions[None], candidates, axis=0), noise)
            timed("decode", self.decode, np.repeat(belief, manifest.horizon, axis=0))
        return times

    def _try(self, provider: str, graph: bool, settings: EngineSettings) -> None:
        check_usable(provider, map(self._bundle.file, BUNDLE_FILES))  # before TensorRT spends minutes on the first one
        sessions = {}
        for name in BUNDLE_FILES:
            file = self._bundle.file(name)
            free, recorded = _free_inputs(name, self.manifest), graph and name == "imagine.onnx"
            sessions[name] = open_session(file, provider, settings, graph=recorded, free=free, log=self._log)
            _check_interface(file, sessions[name], self.manifest)
        there = {entry.name for entry in sessions["imagine.onnx"].get_outputs()}
        scores = tuple(name for name in (*_SCORES, *_DISAGREEMENT, *_signals(self.manifest)) if name in there)
        self._scores = tuple(_FIELDS.get(name, name) for name in scores)
        wanted = {
            "observe": ("observe.onnx", ("next_belief", "surprise")),
            "imagine": ("imagine.onnx", scores),
            "imagine_beliefs": ("imagine.onnx", ("beliefs",)),
            "imagine_whole": ("imagine.onnx", (*scores, "beliefs")),
            "actor": ("actor.onnx", ("actions", "std")),
            "decode": ("decode.onnx", ("image",)),
        }
        device = provider_named(provider).device
        self._functions = {
            function: (self._bundle.file(file), outputs, make_function(sessions[file], outputs, device))
            for function, (file, outputs) in wanted.items()
        }
        self.warm_up(candidates=2)
        if provider != CPU or not settings.rollout or not self._took_rollout(sessions["imagine.onnx"], settings):
            self._check_myself(provider, settings)

    def _took_rollout(self, session: ort.InferenceSession, settings: EngineSettings) -> bool:
        """Imagine in eight bits without onnxruntime from here on, if all answers stay those of the bundle."""
        functions, unsound, file = self._functions, list(self.unsound), self._bundle.file("imagine.onnx")
        try:
            from wm_imagination.agreement import agreeing_rollout  # may be left out of the build, as on an Arm

            rollout = agreeing_rollout(file.read_bytes(), session, settings.threads)
            if rollout is None:
                return False
            self._functions = {
                name: (path, outputs, RolloutFunction(session, outputs, rollout) if path == file else function)
                for name, (path, outputs, function) in functions.items()
            }
            self._check_myself(CPU, settings)
        except (ImportError, ValueError, SelfCheckError) as error:
            self._functions, self.unsound = functions, unsound
            self._log(f"imagination by onnxruntime, not by wm_imagination: {error}")
            return False
        self.imagination = f"wm_imagination for {rollout.processor}"
        self._log(f"imagination by {self.imagination}")
        return True

    def _check_myself(self, provider: str, settings: EngineSettings) -> None:
        """Raise SelfCheckError unless the opened files answer as the bundle specifies."""
        if self._asked is None:
            return
        self.self_check = check(self, self._asked, self.manifest)
        try:
            if self._enforce:
                self.self_check.enforce()
        except SelfCheckError as error:
            self.unsound.append(f"{provider}{half_precision(provider, settings)}: {error}")
            raise

    def _said(self, scores: list[np.ndarray]) -> Imagined:
        return Imagined(**dict(zip(self._scores, scores, strict=True)))

    def _imagined(self, function: str, belief: np.ndarray, actions: np.ndarray, noise: np.ndarray) -> list[np.ndarray]:
        return self._call(function, {"belief": belief, "actions": actions, "noise": noise}, len(actions))

    def _call(self, function: str, feeds: dict[str, np.ndarray], count: int = 1) -> list[np.ndarray]:
        file, outputs, call = self._functions[function]
        if count < 1:
            raise EngineError(f"{function}: expected at least one row, found none")
        return run_checked(file, outputs, call, feeds, count)


def _row(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32).reshape(1, -1)


def _free_inputs(file: str, manifest: BundleManifest) -> dict[str, tuple[int, ...]]:
    """A file's inputs that take any number of rows, and a row's dimensions."""
    return {
        "imagine.onnx": {"actions": (manifest.horizon, 3), "noise": (manifest.horizon, manifest.latent.stochastic)},
        "decode.onnx": {"belief": (manifest.latent.belief,)},
    }.get(file, {})


def _signals(manifest: BundleManifest) -> dict[str, int]:
    """Outputs (N, H, ·) of imagine.onnx that a bundle has by its manifest, and their last dimensions."""
    counts = {"vector": manifest.imagines_vector * len(manifest.vector), "reward_terms": len(manifest.reward_terms)}
    return {name: count for name, count in counts.items() if count}


def _check_interface(file: Path, session: ort.InferenceSession, manifest: BundleManifest) -> None:
    """Raise EngineError unless a file has the inputs and outputs given in docs/architecture.md."""
    inputs, outputs = _INTERFACE[file.name]
    if file.name == "observe.onnx" and len(manifest.image.cameras) > 1:
        inputs = (*inputs, "camera_mask")
    given, told = ({entry.name for entry in entries} for entries in (session.get_inputs(), session.get_outputs()))
    if file.name == "imagine.onnx":
        outputs += (*_signals(manifest), *(_DISAGREEMENT if set(_DISAGREEMENT) <= told else ()))
    for kind, expected, found in (("inputs", inputs, given), ("outputs", outputs, told)):
        if set(expected) != found:
            raise EngineError(
                f"{file}: expected the {kind} {', '.join(sorted(expected))}, "
                f"found {', '.join(sorted(found))}; export the bundle again"
            )
    if file.name == "imagine.onnx":
        sizes = {entry.name: entry.shape[-1] for entry in session.get_outputs()}
        for name, count in _signals(manifest).items():
            if sizes[name] != count:
                raise EngineError(
                    f"{file}: output '{name}' has {sizes[name]} numbers, bundle.json names {count}; export again"
                )

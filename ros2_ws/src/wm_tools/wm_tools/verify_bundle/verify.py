"""A verification from its options: loads both sides, compares them over the frames, times them, and judges."""

from collections.abc import Callable
from dataclasses import dataclass

from wm_bundle import BundleError, BundleManifest, load_bundle
from wm_bundle.onnx_runtime import onnxruntime as ort
from wm_evaluation.imagined_frames import Observation, imagined
from wm_planner.assembly import Parts, build
from wm_planner.engine.providers import CHOICES, CPU, how_to_get
from wm_planner.engine.self_check import SelfCheck
from wm_planner.engine.tensorrt import gpu_name, this_platform
from wm_planner.errors import ConfigError, EngineError, NonFiniteError, PlannerError

from wm_tools.common.console import ProgressBar
from wm_tools.common.errors import ParityError, ProviderError, VerificationError
from wm_tools.common.machine import device_facts, machine_facts
from wm_tools.verify_bundle.latency import WHOLE, Latency, measure
from wm_tools.verify_bundle.observations import recorded
from wm_tools.verify_bundle.parity import PICTURE_LEVELS, Difference, ParityRun
from wm_tools.verify_bundle.row import cells, measure_paced, paced_frames
from wm_tools.verify_bundle.verify_bundle_options import EXACT, VerifyOptions


@dataclass(frozen=True)
class Verdict:
    """A difference and its ``tolerance``, None if it is only shown."""

    difference: Difference
    tolerance: float | None

    @property
    def holds(self) -> bool:
        """False also if it is not finite."""
        return self.tolerance is None or self.difference.value <= self.tolerance


@dataclass(frozen=True)
class Verification:
    """The results."""

    options: VerifyOptions
    manifest: BundleManifest
    reference: BundleManifest
    provider: str
    frames: int
    source: str
    verdicts: list[Verdict]
    same_best: float
    latencies: list[Latency]
    self_check: SelfCheck | None
    iterations: int
    machine: dict[str, str | int]

    @property
    def parity(self) -> bool:
        """Whether every difference is within its tolerance, and the bundle's self-check holds, if it has one."""
        checked = self.self_check is None or not self.self_check.failed
        return checked and all(verdict.holds for verdict in self.verdicts)

    @property
    def frame(self) -> Latency:
        """The times of a complete frame."""
        return next(latency for latency in self.latencies if latency.call == WHOLE)

    @property
    def in_time(self) -> bool:
        """Whether 99 % of the complete frames fit in the control period."""
        return self.frame.p99_ms <= 1000.0 * self.manifest.control_period_s


def verify(options: VerifyOptions, progress: ProgressBar) -> Verification:
    """Verify; ``progress`` also shows the messages of the engine on the provider.

    Raises VerificationError: ProviderError if the provider cannot run the bundle, ParityError if an output is not
    finite.
    """
    raw = _checked_manifests(options)
    reference = _opened_reference(options)
    candidate = _opened_candidate(options, progress.say)
    try:
        frames, source = _frames(options, raw, reference)
        run = ParityRun(reference, candidate, options.seed)
        progress.begin("parity", len(frames))
        run.take(_told(frames, progress.advance))
        progress.begin("latency", options.calls)
        latencies = measure(candidate, frames, options.calls, options.candidates, progress.advance)
    except NonFiniteError as error:
        raise ParityError(f"FAILS: on {candidate.engine.provider}: {error}") from error
    except PlannerError as error:
        raise VerificationError(str(error)) from error
    manifests, config = (candidate.bundle.manifest, reference.bundle.manifest), options.config()
    return Verification(
        options=options,
        manifest=manifests[0],
        reference=manifests[1],
        provider=candidate.engine.provider,
        frames=len(frames),
        source=source,
        verdicts=_judged(options, run.differences(), *manifests),
        same_best=run.same_best,
        latencies=latencies,
        self_check=candidate.engine.self_check,
        iterations=config.iterations if config.searches else 0,
        machine=_machine(candidate.engine.provider),
    )


def _checked_manifests(options: VerifyOptions) -> BundleManifest:
    """The bundle's own manifest. Raises VerificationError if the reference is not a bundle of the same form."""
    try:
        bundle = load_bundle(options.bundle).manifest
        reference = bundle if options.reference is None else load_bundle(options.reference).manifest
    except BundleError as error:
        raise VerificationError(str(error)) from error
    for name in ("image", "vector", "latent", "horizon", "discount", "control_period_s"):
        expected, found = getattr(bundle, name), getattr(reference, name)
        if expected != found:
            raise VerificationError(
                f"--reference: expected a bundle with the same {name} as {bundle.model_id}, {expected}, found {found}: "
                f"use another export of the same model"
            )
    return bundle


def _opened_reference(options: VerifyOptions) -> Parts:
    try:
        return build(options.reference_config(), lambda line: None, enforce=False)
    except (ConfigError, EngineError) as error:
        raise VerificationError(f"the processor cannot run the reference: {error}") from error


def _opened_candidate(options: VerifyOptions, log: Callable[[str], None]) -> Parts:
    try:
        return build(options.config(), log, enforce=False)  # a failure is reported with the rest
    except ConfigError as error:
        raise VerificationError(str(error)) from error
    except EngineError as error:
        provider = CHOICES[options.provider][0]
        hint = "" if provider in ort.get_available_providers() else f"; {how_to_get(provider)}"
        raise ProviderError(f"--provider {options.provider}: {error}{hint}") from error


def _frames(options: VerifyOptions, raw: BundleManifest, reference: Parts) -> tuple[list[Observation], str]:
    if options.data is None:
        frames = imagined(reference.engine, options.frames, options.seed)
        return frames, "imagined by the model itself: give --data to verify on a recording"
    frames = recorded(options, raw, options.config().preprocessed_images)
    return frames, f"of {options.data.resolve().name}"


def _told(frames: list[Observation], advance: Callable[[int], None]):
    for frame in frames:
        yield frame
        advance(1)


def _judged(
    options: VerifyOptions, differences: list[Difference], manifest: BundleManifest, reference: BundleManifest
) -> list[Verdict]:
    """Each difference with its tolerance.

    If the precision is not the reference's, only returns and commands are judged, unless --tolerance says otherwise:
    the other numbers differ because of the arithmetic.
    """
    precisions = [one.provenance.get("precision", "float32") for one in (manifest, reference)]
    reduced = options.fp16 or precisions[0] != precisions[1]
    exact = EXACT if options.tolerance is None and not reduced else options.tolerance
    limits = {
        "return": options.return_tolerance,
        "action": options.action_tolerance,
        "command": options.action_tolerance,
        "picture": None if exact is None else PICTURE_LEVELS,
    }
    return [Verdict(one, limits.get(one.output, exact)) for one in differences]


@dataclass(frozen=True)
class Row:
    """A row of the table of docs/latency.md: ``cells`` by the heads of its columns, and what the machine is."""

    cells: dict[str, str]
    machine: dict[str, str | int]


def measure_row(options: VerifyOptions, progress: ProgressBar) -> Row:
    """Measure a row, with the search that this machine affords. Raises VerificationError, see ``verify``."""
    config = options.config()
    candidate = _opened_candidate(options, progress.say)
    checked, manifest = candidate.engine.self_check, candidate.bundle.manifest
    if checked is not None and checked.failed:
        raise ParityError(f"FAILS: the bundle's self-check, by {', '.join(checked.failed)}, so the planner refuses it")
    try:
        frames, _ = _frames(options, manifest, candidate)
        progress.begin("latency", paced_frames(options.seconds, manifest.control_period_s))
        paced = measure_paced(candidate, config, frames, options.seconds, progress.advance)
    except PlannerError as error:
        raise VerificationError(str(error)) from error
    provider = candidate.engine.provider
    machine = {**_machine(provider), **device_facts(), "gpu": gpu_name().replace("unknown", "")}
    return Row(cells(paced, manifest, config, provider, machine), machine)


def _machine(provider: str) -> dict[str, str | int]:
    facts = {**machine_facts(), "onnxruntime": ort.__version__}
    if provider == CPU:
        return facts
    here = this_platform()
    return {**facts, "gpu": here.gpu, "tensorrt": here.tensorrt}

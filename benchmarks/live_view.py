"""`python -m benchmarks.live_view`: the cost of the live view for the control loop.

Drives the built-in simulator in real time, alternately without a view, with one without a browser, and with one whose
page is open in a headless Chromium on this machine. Two latencies are compared: the planner's own, from an image's
receipt to its command, and the simulator's, from the end of a tick to the arrival of the command for it.
"""

import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from wm_bundle import BundleError, load_bundle
from wm_bundle.files import write_json
from wm_evaluation.command_line import DONE, parse, run

from benchmarks.children import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.timing import latency_ms

VARIANTS = ("none", "idle", "page")
_START_S = 60.0  # for a process to start, for the planner to drive
_WARM_UP_S = 3.0  # of driving, not counted
_BLOCK = 25  # consecutive frames resampled together in the bootstrap: they share disturbances
_RESAMPLES = 2000


@dataclass(frozen=True)
class Options:
    """Measure the cost of the live view for the control loop."""

    bundle: Path = ROOT / "models" / "carracing"
    """Folder of the model bundle."""
    rounds: int = 5
    """Drives of each kind; the kinds alternate, and their order changes from round to round."""
    seconds: float = 60.0
    """Length of each drive."""
    chromium: str = "chromium"
    """Name or path of the browser."""
    output: Path = ROOT / "out" / "bench"
    """Folder for live_view.json and the logs."""

    def __post_init__(self):
        if self.rounds < 1 or not 1.0 <= self.seconds <= 3600.0:
            raise ValueError(
                f"rounds is {self.rounds} and seconds is {self.seconds}, expected at least 1, and 1 to 3600"
            )


@dataclass
class _Latencies:
    """Milliseconds of the frames of one drive."""

    planner: list[float] = field(default_factory=list)
    simulator: list[float] = field(default_factory=list)


def measure(options: Options, say: Callable[[str], None]) -> dict:
    """Percentiles of each kind of drive, and the view's addition to them with 95 % intervals. Raises BundleError, and
    BenchmarkError if there is no browser or a process ends."""
    browser = shutil.which(options.chromium)
    if browser is None:
        raise BenchmarkError(f"no browser {options.chromium!r} on the PATH: give one with --chromium")
    bundle = load_bundle(options.bundle)
    drives = {variant: [] for variant in VARIANTS}
    for turn in range(options.rounds):
        for place in range(len(VARIANTS)):
            variant = VARIANTS[(turn + place) % len(VARIANTS)]
            heard = _drive(options, bundle.path, bundle.manifest.control_period_s, variant, turn, browser)
            drives[variant].append(heard)
            say(f"round {turn + 1}, {variant}: planner {latency_ms(np.array(heard.planner) / 1e3)}")
    result = {"rounds": options.rounds, "seconds": options.seconds}
    for side in ("planner", "simulator"):
        blocks = {variant: _blocks([getattr(drive, side) for drive in drives[variant]]) for variant in VARIANTS}
        result[side] = {
            variant: {
                "frames": int(sum(map(len, blocks[variant]))),
                **latency_ms(np.concatenate(blocks[variant]) / 1e3),
            }
            for variant in VARIANTS
        }
        for variant in VARIANTS[1:]:
            result[side][f"{variant} adds"] = _added(blocks[variant], blocks["none"])
    return result


def _blocks(drives: list[list[float]]) -> list[np.ndarray]:
    return [np.array(drive[start : start + _BLOCK]) for drive in drives for start in range(0, len(drive), _BLOCK)]


def _added(blocks: list[np.ndarray], reference: list[np.ndarray]) -> dict:
    """Differences of percentiles [ms]: value, low and high of the 95 % interval (bootstrap over blocks)."""
    random, percentiles = np.random.default_rng(0), (50, 99)

    def drawn(of: list[np.ndarray]) -> np.ndarray:
        picked = random.integers(0, len(of), len(of))
        return np.percentile(np.concatenate([of[index] for index in picked]), percentiles)

    value = np.percentile(np.concatenate(blocks), percentiles) - np.percentile(np.concatenate(reference), percentiles)
    spread = np.array([drawn(blocks) - drawn(reference) for _ in range(_RESAMPLES)])
    low, high = np.percentile(spread, (2.5, 97.5), axis=0)
    return {
        f"p{percentile}": [round(float(number), 2) for number in (value[index], low[index], high[index])]
        for index, percentile in enumerate(percentiles)
    }


def _drive(options: Options, bundle: Path, period_s: float, variant: str, turn: int, browser: str) -> _Latencies:
    from wm_bundle.processes.ros_distribution import local_environment
    from wm_tools.drive.domain import own_domain, ros_context
    from wm_tools.drive.processes import ProcessGroup

    logs = options.output.resolve() / "logs" / f"{turn}-{variant}"
    with own_domain() as domain_id, ros_context(domain_id) as context, ProcessGroup() as processes:
        environment = local_environment(domain_id)

        def start(package: str, executable: str, **parameters) -> Path:
            words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
            processes.start(
                executable,
                [str(_executable(package, executable)), "--ros-args", *words],
                environment,
                logs / f"{executable}.log",
            )
            return logs / f"{executable}.log"

        start(
            "wm_sim",
            "bridge",
            real_time_factor=1.0,
            episodes=0,
            seed=3000 + turn,
            wait_for_driver=_START_S,
            fixed_delta_seconds=period_s,
        )
        page = None
        if variant != "none":
            log = start("wm_planner", "live_view", port=0)
            page = _wait_for(lambda: re.search(r"http://\S+/", log.read_text("utf-8")), processes, "the live view")
        # Missed deadlines on a busy machine are part of the measurement and must not stop the drive.
        start("wm_planner", "planner", bundle=bundle, autostart="true", deadline_frames=0)
        with _looking(browser, page.group() if variant == "page" else None) as check_page:
            heard = _listen(context, processes, options.seconds)
            check_page()
            return heard


def _executable(package: str, name: str) -> Path:
    from ament_index_python.packages import PackageNotFoundError, get_package_prefix

    try:
        return Path(get_package_prefix(package), "lib", package, name)
    except (PackageNotFoundError, LookupError):
        raise BenchmarkError(f"the package {package} is not in use: run `make setup` and source env.sh") from None


def _wait_for(condition: Callable, processes, what: str):
    deadline_s = time.monotonic() + _START_S
    while not (found := condition()):
        if time.monotonic() > deadline_s:
            raise BenchmarkError(f"timed out after {_START_S:g} s waiting for {what}\n{processes.quote()}")
        processes.check()
        time.sleep(0.05)
    return found


@contextmanager
def _looking(browser: str, address: str | None) -> Iterator[Callable[[], None]]:
    """Opens the page, if there is one; yields a check that it kept drawing until the end."""
    if address is None:
        yield lambda: None
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium has no sandbox for root in a container; the page is our own.
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)

        def check() -> None:
            before = int(page.evaluate("document.body.dataset.updates || 0"))
            time.sleep(1.0)
            if int(page.evaluate("document.body.dataset.updates || 0")) - before < 5:
                raise BenchmarkError("the page was not drawing at the end of the drive: nothing was measured")

        yield check
        chromium.close()


def _listen(context, processes, seconds: float) -> _Latencies:
    """Latencies of the frames of a drive, after a warm-up."""
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.qos import QoSProfile
    from wm_msgs.msg import PlannerStatus, StepResult

    heard, counting = _Latencies(), False
    driving: list[bool] = []

    def on_status(message: PlannerStatus) -> None:
        if message.candidates:
            driving.append(True)
            if counting:
                heard.planner.append(message.latency_ms)

    def on_step(message: StepResult) -> None:
        if counting and np.isfinite(message.command_latency_ms):
            heard.simulator.append(message.command_latency_ms)

    node = Node("live_view_benchmark", context=context)
    node.create_subscription(PlannerStatus, "/carla/ego_vehicle/planner/status", on_status, QoSProfile(depth=100))
    node.create_subscription(StepResult, "/carla/ego_vehicle/step_result", on_step, QoSProfile(depth=100))
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin(until: Callable[[], bool], limit_s: float) -> bool:
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s and not until():
            executor.spin_once(timeout_sec=0.1)
            processes.check()
        return until()

    try:
        if not spin(lambda: bool(driving), _START_S):
            raise BenchmarkError(f"the planner did not drive within {_START_S:g} s\n{processes.quote()}")
        spin(lambda: False, _WARM_UP_S)
        counting = True
        spin(lambda: False, seconds)
    finally:
        executor.shutdown()
        node.destroy_node()
    if not heard.planner or not heard.simulator:
        raise BenchmarkError(f"no frame was answered in {seconds:g} s\n{processes.quote()}")
    return heard


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    from wm_tools.common.errors import DriveError

    options = parse(Options, "live_view", arguments)
    return run("live_view", lambda: _main(options), (BenchmarkError, BundleError, DriveError, OSError))


def _main(options: Options) -> int:
    result = measure(options, lambda line: print(f"live_view: {line}", file=sys.stderr, flush=True))
    write_json(options.output / "live_view.json", result)
    print(json.dumps(result, indent=1))
    return DONE


if __name__ == "__main__":
    sys.exit(main())

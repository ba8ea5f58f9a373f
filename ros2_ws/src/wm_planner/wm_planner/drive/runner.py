"""Drives one controller through all tracks: starts its processes, answers for them, ends them. Every wait has
an end."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from wm_bundle import Bundle
from wm_bundle.files import write_text

from wm_planner.drive.domain import local_environment, own_domain, ros_context
from wm_planner.drive.drivers import Driver, EchoDriver, RandomDriver
from wm_planner.drive.errors import DriveError
from wm_planner.drive.options import DriveOptions
from wm_planner.drive.pictures import FrameReader
from wm_planner.drive.processes import ProcessGroup
from wm_planner.drive.recorder_node import RecorderNode
from wm_planner.drive.records import Episode, EpisodeCollector

START_TIMEOUT_S = 60.0  # for a process to appear in the graph, and for the first step once a driver is there
RESET_TIMEOUT_S = 30.0  # for the simulator to make a new track
STALL_TIMEOUT_S = 10.0  # without a step while driving
DRAIN_S = 0.2  # after the last step, for what is still on its way
IMAGINED_EVERY = 10  # control steps between two imagined futures that are published


@dataclass(frozen=True)
class Controller:
    """How one controller drives: by a planner node with these ``parameters`` beside those the user gave, or by our
    own ``driver``."""

    parameters: tuple[tuple[str, str], ...] = ()
    driver: Callable[[], Driver] | None = None
    autopilot: bool = False


def controller_named(name: str) -> Controller:
    """The controller of that name in options.CONTROLLERS."""
    if name == "expert":
        return Controller(driver=EchoDriver, autopilot=True)
    if name == "random":
        return Controller(driver=RandomDriver)
    return Controller() if name == "planner" else Controller((("solver", name),))


def executable(package: str, name: str) -> Path:
    """Path of an installed executable. Raises DriveError where the workspace is not in use or not built."""
    try:
        path = Path(get_package_prefix(package)) / "lib" / package / name
    except (PackageNotFoundError, LookupError, OSError):
        raise DriveError(
            f"the package {package} is not in use: build the workspace and source env.sh"
        ) from None
    if not path.is_file():
        raise DriveError(f"{path} is missing: build the workspace again")
    return path


def shipped_bundle() -> Path:
    """Folder of the bundle that is installed with this package, whether or not it is there."""
    try:
        return Path(get_package_share_directory("wm_planner")) / "models" / "carracing"
    except (PackageNotFoundError, LookupError, OSError):
        raise DriveError("the package wm_planner is not in use: source env.sh") from None


def drive_controller(
    name: str, options: DriveOptions, bundle: Bundle, on_progress: Callable[[EpisodeCollector], None]
) -> list[Episode]:
    """Drive one episode for each seed and return them. ``on_progress`` is called many times a second.

    Raises DriveError, quoting what the processes wrote, when one dies or the simulator stops ticking.
    """
    collector = EpisodeCollector(bundle.manifest.control_period_s, options.max_steps)
    with own_domain() as domain_id, ros_context(domain_id) as context, ProcessGroup() as processes:
        run = _Run(name, options, bundle, domain_id, context, processes, collector, on_progress)
        try:
            run.drive()
        finally:
            run.close()
    return collector.close()


class _Run:
    """One controller's processes, recorder and episodes."""

    def __init__(
        self,
        name: str,
        options: DriveOptions,
        bundle: Bundle,
        domain_id: int,
        context: Context,
        processes: ProcessGroup,
        collector: EpisodeCollector,
        on_progress: Callable[[EpisodeCollector], None],
    ):
        self._name, self._options, self._bundle = name, options, bundle
        self._controller = controller_named(name)
        self._driver = self._controller.driver() if self._controller.driver else None
        self._environment = local_environment(domain_id)
        self._processes, self._collector, self._on_progress = processes, collector, on_progress
        image = bundle.manifest.image
        self._node = RecorderNode(
            context,
            options.role_name,
            image.cameras[0].name,
            collector,
            FrameReader(image) if self._driver is None else None,
        )
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)

    def close(self) -> None:
        """Give back what the ROS context holds."""
        self._executor.shutdown()
        self._node.destroy_node()

    def drive(self) -> None:
        """The whole run. The simulator holds its first tick for a driver and a subscriber of the camera; our camera
        subscription comes last, when everything else is connected, so that nothing is missed."""
        first, *others = self._options.seeds
        self._start("simulator", executable("wm_sim", "bridge"), self._simulator_parameters(first))
        self._wait(self._node.sees_simulator, START_TIMEOUT_S, "the simulator's topics")
        self._collector.begin(first)
        if self._driver is None:
            self._node.listen_to_planner()
            self._start("planner", executable("wm_planner", "planner"), self._planner_parameters())
            # Without images it says that it brakes, so a first word means that it is active and that we hear it.
            self._wait(self._node.hears_planner, START_TIMEOUT_S, "the planner's first status")
        else:
            self._node.drive_with(self._driver)
        self._node.listen_to_camera()
        self._wait(lambda: self._collector.ticks > 0, START_TIMEOUT_S, "the first tick of the simulator")
        self._finish_episode()
        for seed in others:
            self._reset(seed)
            self._finish_episode()
        drained = time.monotonic() + DRAIN_S
        while time.monotonic() < drained:
            self._spin_once()

    def _finish_episode(self) -> None:
        """Spin until the episode is over; every step prolongs the deadline."""
        seen, deadline = -1, 0.0
        while not self._collector.episode_over:
            if self._collector.ticks != seen:
                seen, deadline = self._collector.ticks, time.monotonic() + self._stall_timeout_s
            if time.monotonic() > deadline:
                raise DriveError(
                    f"{self._name}: the simulator did not tick for {self._stall_timeout_s:.0f} s, at step "
                    f"{len(self._collector.current.steps)} of track {self._collector.current.seed}.\n"
                    f"{self._processes.quote()}"
                )
            self._spin_once()

    @property
    def _stall_timeout_s(self) -> float:
        factor = self._options.real_time_factor
        slow_step_s = self._bundle.manifest.control_period_s / factor if factor > 0 else 0.0
        return STALL_TIMEOUT_S + 10 * slow_step_s

    def _reset(self, seed: int) -> None:
        self._collector.begin(seed)
        future = self._node.ask_reset(seed)
        self._wait(future.done, RESET_TIMEOUT_S, f"the simulator's answer to the reset to track {seed}")
        answer = future.result()
        if not answer.success:
            raise DriveError(f"the simulator refused the reset to track {seed}: {answer.message}")

    def _wait(self, condition: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise DriveError(
                    f"{self._name}: waited {timeout_s:.0f} s for {what}, in vain.\n{self._processes.quote()}"
                )
            self._spin_once()

    def _spin_once(self) -> None:
        self._executor.spin_once(timeout_sec=0.05)
        if self._node.bad_message is not None:
            raise DriveError(f"{self._name}: cannot use a message: {self._node.bad_message}")
        self._processes.check()
        self._on_progress(self._collector)

    def _start(self, name: str, path: Path, parameters: dict) -> None:
        logs = self._options.output.resolve() / "logs"
        # JSON is YAML, and a file needs none of the quoting that values on a command line do.
        file = logs / f"{self._name}-{name}.yaml"
        write_text(file, json.dumps({"/**": {"ros__parameters": parameters}}, indent=2) + "\n")
        self._processes.start(
            name,
            [str(path), "--ros-args", "--params-file", str(file)],
            self._environment,
            logs / f"{self._name}-{name}.log",
        )

    def _simulator_parameters(self, seed: int) -> dict:
        options, camera = self._options, self._bundle.manifest.image.cameras[0]
        factor = options.real_time_factor if self._driver is None else 0.0
        return {
            "role_name": options.role_name,
            "seed": seed,
            "fixed_delta_seconds": self._bundle.manifest.control_period_s,
            "synchronous_mode": True,
            "synchronous_mode_wait_for_vehicle_control_command": factor == 0.0,
            "real_time_factor": float(factor),
            "image_width": camera.source_width,
            "image_height": camera.source_height,
            "autopilot": self._controller.autopilot,
            "auto_reset": False,
            "wait_for_driver": 2 * START_TIMEOUT_S,  # we give up before it goes on without a driver
        }

    def _planner_parameters(self) -> dict:
        period_s = self._bundle.manifest.control_period_s
        return {
            "bundle": str(self._bundle.path),
            "role_name": self._options.role_name,
            "autostart": True,
            "imagined_rate_hz": 1.0 / (IMAGINED_EVERY * period_s),
            # Where simulated time waits for the planner, a late plan is as good as one in time.
            **({"deadline_frames": 0} if self._options.real_time_factor == 0.0 else {}),
            **dict(self._options.parameters),
            **dict(self._controller.parameters),
        }

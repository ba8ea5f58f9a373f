"""Drives one trial: its processes, its graph, and its result. Trials are independent of each other."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wm_bundle import Bundle
from wm_bundle.lock_step import BRIDGE_WAIT_S, EMBEDDED_WAIT_S
from wm_bundle.processes.ros_distribution import local_environment
from wm_bundle.routes import Route

from wm_tools.benchmark.benchmark_options import EXTERNAL, LOCK_STEP, BenchmarkOptions, planner_config
from wm_tools.benchmark.plan import Trial
from wm_tools.benchmark.recorder_node import EventRecorderNode
from wm_tools.benchmark.status_collector import StatusCollector
from wm_tools.common.errors import DriveError
from wm_tools.drive.domain import own_domain, ros_context
from wm_tools.drive.embedded import simulator_parameters
from wm_tools.drive.processes import ProcessGroup
from wm_tools.drive.records import Episode, EpisodeCollector
from wm_tools.drive.session import Session

EXTERNAL_TIMEOUT_S = 15.0  # to discover a simulator that is already running
ANSWER_TIMEOUT_S = 5.0  # of its node to a question
DISCOVERY_S = 1.0  # from the first topics of a simulator to all of them
# In lock-step: a further thread pays less than a further episode, and sums are rounded the same on any number of cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")


class CannotBenchmark(DriveError):
    """The benchmark itself cannot continue, through no fault of a controller or episode."""


@dataclass(frozen=True)
class Driven:
    """The result of a trial. ``failure`` says why it could not be finished, None if it was."""

    episode: Episode
    failure: str | None
    map_name: str | None
    wall_s: float
    route: Route | None = None  # as the simulator published it


def drive_trial(
    trial: Trial,
    options: BenchmarkOptions,
    bundle: Bundle,
    logs: Path,
    on_progress: Callable[[EpisodeCollector], None],
    tell: Callable[[str], None],
) -> Driven:
    """Drive a trial. The output of its processes goes to ``logs``; ``on_progress`` is called many times a second,
    ``tell`` with a line of text when a wait is long.

    Raises CannotBenchmark if there is no simulator to attach to, or one that cannot be benchmarked, and DriveError if
    no ROS domain is free.
    """
    begun_s, period_s = time.monotonic(), bundle.manifest.control_period_s
    external = options.simulator == EXTERNAL
    collector = EpisodeCollector(period_s, options.max_steps, joins=external, slow_step_s=wait_of(options))
    failure = None
    with _graph(external, trial.mode) as (context, environment), ProcessGroup() as processes:
        camera = bundle.manifest.image.cameras[0].name
        node = EventRecorderNode(context, options.role_name, camera, collector)
        with Session(
            trial.entry.name, context, node, collector, processes, environment, logs, period_s, on_progress, tell
        ) as session:
            try:
                one = _Trial(trial, options, bundle, session)
                (one.external if external else one.embedded)()
            except CannotBenchmark:
                raise
            except DriveError as error:
                failure = str(error)
    episodes = node.collector.close() or [Episode(None)]
    return Driven(episodes[0], failure, node.map_name, time.monotonic() - begun_s, node.route)


def wait_of(options: BenchmarkOptions) -> float:
    """How long the simulator waits for a command in lock-step [s]."""
    return BRIDGE_WAIT_S if options.simulator == EXTERNAL else EMBEDDED_WAIT_S


@contextlib.contextmanager
def _graph(external: bool, mode: str) -> Iterator[tuple]:
    """A ROS context and the environment of child processes: in a separate domain, or in the user's."""
    if external:
        with ros_context(None) as context:
            yield context, dict(os.environ)
        return
    with own_domain() as domain_id, ros_context(domain_id) as context:
        yield context, {**local_environment(domain_id), **(ONE_THREAD if mode == LOCK_STEP else {})}


class _Trial:
    def __init__(self, trial: Trial, options: BenchmarkOptions, bundle: Bundle, session: Session):
        self._trial, self._options, self._bundle, self._session = trial, options, bundle, session
        self._node: EventRecorderNode = session.node
        self._in_lock_step = trial.mode == LOCK_STEP

    def embedded(self) -> None:
        session, trial = self._session, self._trial
        factor = 0.0 if self._in_lock_step else 1.0
        session.start_simulator(
            simulator_parameters(self._bundle.manifest, self._options, trial.seed, factor, trial.entry.autopilot)
        )
        self._start_driver()
        session.reset(trial.seed)
        session.wait_for_first_tick()
        session.finish_episode()
        session.drain()

    def external(self) -> None:
        """Drive one episode of a simulator that is already running: on the track of the seed if it can be set."""
        session, node = self._session, self._node
        self._find_simulator()
        self._start_driver()
        if node.can_reset():
            session.reset(self._trial.seed)
        else:
            node.collector.begin(None)
        session.finish_episode()
        session.drain()

    def _find_simulator(self) -> None:
        session, node, options = self._session, self._node, self._options
        car = f"/carla/{options.role_name}"
        try:
            session.wait(node.sees_car, "the simulator", EXTERNAL_TIMEOUT_S)
        except DriveError:
            domain = os.environ.get("ROS_DOMAIN_ID", "0")
            raise CannotBenchmark(
                f"no simulator in ROS domain {domain}: expected the topics {car}/vehicle_status and of the bundle's "
                f"camera; start it, or name its car with --role-name"
            ) from None
        settled_s = time.monotonic() + DISCOVERY_S
        session.wait(lambda: time.monotonic() > settled_s, "the simulator's other topics")
        if others := node.other_drivers():
            raise CannotBenchmark(f"{', '.join(others)} already drives the car {options.role_name}: stop it first")
        if self._trial.entry.kind == "expert" and not node.sees_expert():
            raise CannotBenchmark(f"this simulator has no expert: there is no topic {car}/expert_control")
        self._in_lock_step = self._waits()
        if not node.sees_step_results():
            if options.max_steps is None:
                raise CannotBenchmark("this simulator sends no step results to end an episode: set --max-steps")
            session.record_in(
                StatusCollector(self._bundle.manifest.control_period_s, options.max_steps, slow_step_s=wait_of(options))
            )

    def _waits(self) -> bool:
        """Whether the simulator's ticks wait for their commands: then nothing but answers may be sent."""
        try:
            self._session.wait(lambda: self._node.waits() is not None, "the simulator's parameters", ANSWER_TIMEOUT_S)
        except DriveError:
            return False  # a simulator without parameters
        return self._node.waits()

    def _start_driver(self) -> None:
        """Start whatever answers the camera, last of all, because a simulator may begin as soon as it is there."""
        session, node, driver = self._session, self._node, self._trial.entry.driver()
        if driver is not None:
            node.drive_with(driver)
            node.listen_to_camera()
            return
        session.start_planner(self._planner_parameters(), self._options.start_timeout)
        if self._trial.disturbance is not None:
            command = [sys.executable, "-m", "wm_tools.benchmark.disturber_node"]
            session.start("disturber", command, self._disturber_parameters())

    def _planner_parameters(self) -> dict:
        options = self._options
        wait_s = wait_of(options) if self._in_lock_step else None
        parameters = self._trial.entry.planner_parameters(self._bundle, options.role_name, options.parameters, wait_s)
        if self._trial.disturbance is not None:
            parameters["image_topic"] = self._disturbed("{camera}/image")
            parameters["control_topic"] = self._disturbed("control")
        return parameters

    def _disturber_parameters(self) -> dict:
        config = planner_config(self._options)
        cameras = [camera.name for camera in self._bundle.manifest.image.cameras]
        images, disturbed = config.topic("image_topic"), self._disturbed("{camera}/image")
        return {
            "simulator_images": [images.replace("{camera}", camera) for camera in cameras],
            "planner_images": [disturbed.replace("{camera}", camera) for camera in cameras],
            "simulator_control": config.topic("control_topic"),
            "planner_control": self._disturbed("control"),
            "disturbance": self._trial.disturbance.name,
            "size": float(self._trial.disturbance.size),
            "period_s": self._bundle.manifest.control_period_s,
            "lock_step": self._in_lock_step,
            "seed": self._trial.seed,
        }

    def _disturbed(self, leaf: str) -> str:
        """The planner's side of a relayed topic."""
        return f"/carla/{self._options.role_name}/disturbed/{leaf}"

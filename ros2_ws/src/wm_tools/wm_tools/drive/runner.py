"""Drives one controller through all tracks, in processes of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from wm_bundle import Bundle
from wm_bundle.lock_step import EMBEDDED_WAIT_S, planner_parameters
from wm_bundle.ros_distribution import local_environment
from wm_planner.errors import PlannerError
from wm_planner.pilot.preflight import check

from wm_tools.common.errors import DriveError
from wm_tools.drive.domain import own_domain, ros_context
from wm_tools.drive.drivers import Driver, EchoDriver, RandomDriver
from wm_tools.drive.embedded import simulator_parameters
from wm_tools.drive.entries import Entry
from wm_tools.drive.options import DriveOptions
from wm_tools.drive.pictures import FrameReader
from wm_tools.drive.processes import ProcessGroup
from wm_tools.drive.recorder_node import RecorderNode
from wm_tools.drive.records import Episode, EpisodeCollector
from wm_tools.drive.session import Session, executable

IMAGINED_EVERY = 10  # control steps between two imagined futures that are published


@dataclass(frozen=True)
class Controller:
    """How one controller drives: by a planner node with these ``parameters`` beside those the user gave, or by our
    own ``driver``."""

    parameters: tuple[tuple[str, str], ...] = ()
    driver: Callable[[], Driver] | None = None
    autopilot: bool = False


def controller_of(entry: Entry) -> Controller:
    """How it drives."""
    if entry.kind == "expert":
        return Controller(driver=EchoDriver, autopilot=True)
    if entry.kind == "random":
        return Controller(driver=RandomDriver)
    policy = () if entry.policy is None else (("proposal_policy", str(entry.policy.expanduser().absolute())),)
    return Controller(policy if entry.kind == "planner" else (("solver", entry.kind), *policy))


def check_planners(parameters: Iterable[Mapping]) -> None:
    """Raise DriveError for what a planner with any of these parameters would refuse, before anything starts."""
    for given in parameters:
        try:
            check(given)
        except PlannerError as error:
            raise DriveError(f"the planner would refuse: {error}") from None


def shipped_bundle() -> Path:
    """Folder of the bundle that is installed with this package, whether or not it is there."""
    try:
        return Path(get_package_share_directory("wm_planner")) / "models" / "carracing"
    except (PackageNotFoundError, LookupError, OSError):
        raise DriveError("the package wm_planner is not in use: source env.sh") from None


def drive_controller(
    name: str,
    options: DriveOptions,
    bundle: Bundle,
    on_progress: Callable[[EpisodeCollector], None],
    tell: Callable[[str], None],
) -> list[Episode]:
    """Drive one episode for each seed and return them. ``name`` is that of one of the entries of ``options``;
    ``on_progress`` is called many times a second, ``tell`` with a line for people where a wait is long.

    Raises DriveError, quoting what the processes wrote, when one dies or the simulator stops ticking.
    """
    manifest = bundle.manifest
    controller = controller_of(next(entry for entry in options.entries if entry.name == name))
    driver = controller.driver() if controller.driver else None
    factor = options.real_time_factor if driver is None else 0.0
    collector = EpisodeCollector(manifest.control_period_s, options.max_steps)
    with own_domain() as domain_id, ros_context(domain_id) as context, ProcessGroup() as processes:
        reader = FrameReader(manifest.image) if driver is None else None
        node = RecorderNode(context, options.role_name, manifest.image.cameras[0].name, collector, reader)
        slow_step_s = manifest.control_period_s / factor if factor > 0 else 0.0
        session = Session(
            name,
            context,
            node,
            collector,
            processes,
            local_environment(domain_id),
            options.output.resolve() / "logs",
            slow_step_s,
            on_progress,
            tell,
        )
        parameters = simulator_parameters(manifest, options, options.seeds[0], factor, controller.autopilot)
        try:
            _drive(session, options, parameters, driver, parameters_of(options, bundle, controller))
        finally:
            session.close()
    return collector.close()


def _drive(session: Session, options: DriveOptions, simulator: dict, driver: Driver | None, planner: dict) -> None:
    """The whole run. The simulator stands until everything is connected and we reset it, so that nothing is missed."""
    node = session.node
    session.start("simulator", [str(executable("wm_sim", "bridge"))], simulator)
    session.wait(node.sees_simulator, "the simulator's topics")
    if driver is None:
        node.listen_to_planner()
        session.start("planner", [str(executable("wm_planner", "planner"))], planner)
        # Before the first image it says every second that it is ready, so a word means that we hear it, too.
        session.wait(node.hears_planner, "the planner's first status", options.start_timeout)
    else:
        node.drive_with(driver)
    node.listen_to_camera()
    for seed in options.seeds:
        session.reset(seed)
        session.wait_for_first_tick()
        session.finish_episode()
    session.drain()


def parameters_of(options: DriveOptions, bundle: Bundle, controller: Controller) -> dict:
    """The planner's parameters."""
    period_s = bundle.manifest.control_period_s
    return {
        "bundle": str(bundle.path),
        "role_name": options.role_name,
        "autostart": True,
        "imagined_rate_hz": 1.0 / (IMAGINED_EVERY * period_s),
        **(planner_parameters(EMBEDDED_WAIT_S) if options.real_time_factor == 0.0 else {}),
        **dict(options.parameters),
        **dict(controller.parameters),
    }

"""Drives one controller on all tracks, in separate processes."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from wm_bundle import Bundle
from wm_bundle.lock_step import EMBEDDED_WAIT_S
from wm_bundle.processes.ros_distribution import local_environment
from wm_planner.errors import PlannerError
from wm_planner.pilot.preflight import check

from wm_tools.common.errors import DriveError
from wm_tools.drive.controllers import Controller
from wm_tools.drive.domain import own_domain, ros_context
from wm_tools.drive.drive_options import DriveOptions
from wm_tools.drive.embedded import simulator_parameters
from wm_tools.drive.pictures import FrameReader
from wm_tools.drive.processes import ProcessGroup
from wm_tools.drive.recorder_node import RecorderNode
from wm_tools.drive.records import Episode, EpisodeCollector
from wm_tools.drive.session import Session

IMAGINED_EVERY = 10  # control steps between two imagined futures that are published


def check_planners(parameters: Iterable[Mapping]) -> None:
    """Raise DriveError, before anything starts, if a planner would refuse any of these parameters."""
    for given in parameters:
        try:
            check(given)
        except PlannerError as error:
            raise DriveError(f"the planner would refuse: {error}") from None


def shipped_bundle() -> Path:
    """Folder of the bundle installed with wm_planner, which may not exist."""
    try:
        return Path(get_package_share_directory("wm_planner")) / "models" / "carracing"
    except (PackageNotFoundError, LookupError, OSError):
        raise DriveError("the package wm_planner is not in use: source env.sh") from None


def drive_controller(
    entry: Controller,
    options: DriveOptions,
    bundle: Bundle,
    on_progress: Callable[[EpisodeCollector], None],
    tell: Callable[[str], None],
) -> list[Episode]:
    """Drive one episode for each seed and return them. ``on_progress`` is called many times a second, ``tell`` with a
    line of text when a wait is long.

    Raises DriveError, quoting what the processes wrote, when one dies or the simulator stops ticking.
    """
    manifest, driver = bundle.manifest, entry.driver()
    factor = options.real_time_factor if driver is None else 0.0
    collector = EpisodeCollector(manifest.control_period_s, options.max_steps)
    reader = FrameReader(manifest.image) if driver is None else None
    with own_domain() as domain_id, ros_context(domain_id) as context, ProcessGroup() as processes:
        node = RecorderNode(context, options.role_name, manifest.image.cameras[0].name, collector, reader)
        with Session(
            entry.name,
            context,
            node,
            collector,
            processes,
            local_environment(domain_id),
            options.output.resolve() / "logs",
            manifest.control_period_s / factor if factor > 0 else 0.0,
            on_progress,
            tell,
        ) as session:
            session.start_simulator(simulator_parameters(manifest, options, options.seeds[0], factor, entry.autopilot))
            if driver is None:
                session.start_planner(parameters_of(options, bundle, entry), options.start_timeout)
            else:
                node.drive_with(driver)
            node.listen_to_camera()
            for seed in options.seeds:
                session.reset(seed)
                session.wait_for_first_tick()
                session.finish_episode()
            session.drain()
    return collector.close()


def parameters_of(options: DriveOptions, bundle: Bundle, entry: Controller) -> dict:
    wait_s = EMBEDDED_WAIT_S if options.real_time_factor == 0.0 else None
    rate_hz = 1.0 / (IMAGINED_EVERY * bundle.manifest.control_period_s)
    return entry.planner_parameters(bundle, options.role_name, options.parameters, wait_s, imagined_rate_hz=rate_hz)

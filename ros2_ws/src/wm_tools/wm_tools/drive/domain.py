"""A private ROS domain for one run, reachable from this machine only."""

import contextlib
import os
import random
import socket
from collections.abc import Iterator

import rclpy
from rclpy.context import Context
from rclpy.signals import SignalHandlerOptions
from wm_bundle.processes.ros_distribution import discovery
from wm_bundle.processes.ros_errors import reason_of

from wm_tools.common.errors import DriveError

# DDS derives its UDP ports from the domain id: 7400 + 250 * id + an offset. Ids up to 101 stay below the ports that
# Linux gives to clients; the lowest are left to users, those from 50 on to the tests.
DOMAIN_IDS = range(10, 50)
_FIRST_PARTICIPANT = 10  # offset of the port that the first participant of a domain on a machine listens on
_MARK = 248  # offset of a port no participant reaches: binding it marks the domain as taken for other drives


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """Yields a domain id that is unused on this machine, reserved until the end. Raises DriveError if all are taken.
    The reservation is a bound socket: the kernel releases it even if we are killed."""
    for domain_id in random.sample(DOMAIN_IDS, len(DOMAIN_IDS)):
        if not is_unused(domain_id):
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mark:
            try:
                mark.bind(("127.0.0.1", _port(domain_id, _MARK)))
            except OSError:
                continue
            yield domain_id
            return
    raise DriveError(
        f"all ROS domains from {DOMAIN_IDS[0]} to {DOMAIN_IDS[-1]} are in use on this machine; stop other drives first"
    )


def is_unused(domain_id: int) -> bool:
    """Whether no participant of this domain runs on this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("", _port(domain_id, _FIRST_PARTICIPANT)))
        except OSError:
            return False
    return True


def _port(domain_id: int, offset: int) -> int:
    return 7400 + 250 * domain_id + offset


@contextlib.contextmanager
def ros_context(domain_id: int | None) -> Iterator[Context]:
    """Yields an rclpy context in the domain, None for the one from the environment. We handle signals ourselves, to
    shut down in order. Raises DriveError if ROS cannot be started."""
    if domain_id is not None:
        os.environ.update(discovery(domain_id))  # the middleware reads them when the context is created
    context = Context()
    try:
        rclpy.init(context=context, domain_id=domain_id, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # of rclpy, such as when no log can be written
        raise DriveError(f"ROS cannot be started: {reason_of(error)}") from None
    try:
        yield context
    finally:
        rclpy.try_shutdown(context=context)

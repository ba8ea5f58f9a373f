"""Shared by all tests: few threads, and a module's ROS domains are given back when the module is over."""

import os
import signal
import sys

import pytest
from hypothesis import settings

# Before anything loads torch. Models of the tests are tiny: more threads only wait for each other, and by default they
# burn a core while they do, which the processes of the other side of a test then lack.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Messages refuse a value of another type. Without this, Jazzy writes an int in a float's place as garbage: 2 as 5e-324.
os.environ.setdefault("ROS_PYTHON_CHECK_FIELDS", "1")

# A shell starts what runs in its background with SIGINT ignored, and all children inherit that: those that a test
# interrupts would not end.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# An example that takes long on a busy machine is no fault.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# Tests here talk over a real graph: processes that the machine starts and runs when it likes.
GRAPH_TESTS = ("ros", "carla_bridge", "benchmarks")


@pytest.fixture(scope="module", autouse=True)
def _domains_given_back():
    yield
    graph = sys.modules.get("graph")
    if graph is not None:
        graph.release_domain_ids()


@pytest.fixture(autouse=True)
def _signals_as_before():
    """Programs that a test runs in its own process set handlers, which are not for the next test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        if handler is not None:  # one that Python did not set
            signal.signal(number, handler)


def pytest_collection_modifyitems(items):
    """
    Files whose tests ask for the most time begin first: with several workers, none of them is alone at the end.

    A test of a real graph that fails runs once more, as on ROS's own build farm (colcon's --retest-until-pass), and the
    summary names it: RERUN. A fault that comes each time still fails. Not where times themselves are judged.
    """
    if not os.environ.get("WM_STRICT_TIMES"):
        for item in items:
            if item.path.parent.name in GRAPH_TESTS:
                item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))
    longest = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0), marker.args[0] if marker else 0)
    items.sort(key=lambda item: -longest[item.path])

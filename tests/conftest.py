"""Shared by all tests: few threads, and a module's ROS domains are given back when the module is over."""

import os
import sys

import pytest

# Before anything loads torch. Models of the tests are tiny: more threads only wait for each other, and by default they
# burn a core while they do, which the processes of the other side of a test then lack.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="module", autouse=True)
def _domains_given_back():
    yield
    graph = sys.modules.get("graph")
    if graph is not None:
        graph.release_domain_ids()

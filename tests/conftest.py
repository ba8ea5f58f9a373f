"""Shared by all tests: a module's ROS domains are given back when the module is over."""

import sys

import pytest


@pytest.fixture(scope="module", autouse=True)
def _domains_given_back():
    yield
    graph = sys.modules.get("graph")
    if graph is not None:
        graph.release_domain_ids()

"""Property: two drives beside each other never share a domain."""

import contextlib

import pytest
from wm_planner.drive import domain
from wm_planner.drive.errors import DriveError


def test_a_domain_is_held_until_the_end(monkeypatch):
    monkeypatch.setattr(domain, "DOMAIN_IDS", range(46, 50))
    with contextlib.ExitStack() as stack:
        taken = []
        with pytest.raises(DriveError, match="all ROS domains from 46 to 49 are in use"):
            for _ in range(5):
                taken.append(stack.enter_context(domain.own_domain()))
        assert taken and len(set(taken)) == len(taken)
    with domain.own_domain() as again:
        assert again in range(46, 50)


def test_children_see_the_domain_and_this_machine_only(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    monkeypatch.setenv("ROS_STATIC_PEERS", "192.0.2.1")
    variables = domain.local_environment(17)
    assert variables["ROS_DOMAIN_ID"] == "17"
    assert variables["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "ROS_STATIC_PEERS" not in variables

"""Property: two drives beside each other never share a domain."""

import contextlib

import pytest
from wm_tools.common.errors import DriveError
from wm_tools.drive import domain


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

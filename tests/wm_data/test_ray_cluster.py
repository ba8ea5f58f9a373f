"""What Ray is told before it starts, with a Ray made up: what the real one connects to was traced by hand."""

import os
import sys
from types import SimpleNamespace

import pytest
from wm_data.ray_cluster import ATTEMPTS, ClusterError, results_on_ray

NAMES = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED", "http_proxy", "no_proxy")


@pytest.fixture
def told(monkeypatch):
    """What ``ray.init`` was called with, and the environment at that moment."""
    seen = {}

    def init(**options):
        seen.update(options=options, environment={name: os.environ.get(name) for name in NAMES})

    ray = SimpleNamespace(
        init=init, remote=lambda **_: lambda function: function, put=lambda common: common, shutdown=lambda: None
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "mine")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return seen


def test_a_cluster_of_this_machine_is_kept_off_the_network_and_the_environment_is_as_before(told):
    assert list(results_on_ray(repr, [], None, 2, repr)) == []
    assert told["environment"] == {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "127.0.0.1,localhost,::1",
    }
    assert told["options"]["address"] == "local" and told["options"]["include_dashboard"] is False
    assert [os.environ.get(name) for name in NAMES] == [None, None, None, "mine"]


def test_a_cluster_that_was_named_is_reached_as_the_environment_says(told, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    assert list(results_on_ray(repr, [], None, 2, repr)) == []
    assert told["environment"] == {**dict.fromkeys(NAMES), "no_proxy": "mine"}
    assert told["options"]["address"] == "ray://head:10001"


def slow(times: int):
    """An ``init`` of Ray whose processes do not start in time so often, and the number of its calls."""
    calls = []

    def init(**options):
        calls.append(options)
        if len(calls) <= times:
            raise Exception("The current node timed out during startup.")  # what Ray 2 raises

    return init, calls


@pytest.mark.parametrize("times", [1, ATTEMPTS - 1])
def test_a_local_cluster_that_did_not_start_in_time_is_started_again(told, times):
    sys.modules["ray"].init, calls = slow(times)
    assert list(results_on_ray(repr, [], None, 2, repr)) == []
    assert len(calls) == times + 1


@pytest.mark.parametrize("address,calls_expected", [(None, ATTEMPTS), ("ray://head:10001", 1)])
def test_a_cluster_that_never_starts_is_told_without_a_traceback(told, monkeypatch, address, calls_expected):
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    sys.modules["ray"].init, calls = slow(10)
    with pytest.raises(ClusterError, match=f"{address or 'this machine'}: The current node timed out"):
        list(results_on_ray(repr, [], None, 2, repr))
    assert len(calls) == calls_expected

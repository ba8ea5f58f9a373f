"""Long waits of `drive` and `benchmark`: what is said meanwhile, and when they are given up."""

import sys

import graph
import pytest
from rclpy.node import Node
from tiny_bundle import make_tiny_bundle
from wm_tools.common.errors import DriveError
from wm_tools.drive import session as sessions
from wm_tools.drive.processes import ProcessGroup

SLOW = "import time; print('builds engines: some minutes', flush=True); time.sleep(60)"


class Recorder(Node):
    bad_message = None


@pytest.fixture
def session(tmp_path):
    """A session beside a planner that is slow to start, and the lines that it told."""
    with graph.rclpy_context(graph.fresh_domain_id()) as context, ProcessGroup() as processes:
        told = []
        with sessions.Session(
            "planner",
            context,
            Recorder("recorder", context=context),
            None,
            processes,
            {},
            tmp_path,
            0.0,
            lambda collector: None,
            told.append,
        ) as made:
            made.start("planner", [sys.executable, "-c", SLOW], {})
            yield made, told


def test_a_long_wait_tells_now_and_then_what_the_planner_says(session, monkeypatch):
    monkeypatch.setattr(sessions, "FIRST_WORD_S", 0.5)
    monkeypatch.setattr(sessions, "NEXT_WORD_S", 0.2)
    waiting, told = session
    waiting.wait(lambda: len(told) >= 3 and "some minutes" in told[-1], "the planner's first status", 60.0)
    assert all(line.endswith(("the planner says: builds engines: some minutes", "(nothing yet)")) for line in told)
    assert "s of at most 60 s for the planner's first status" in told[0]


def test_a_short_wait_tells_nothing(session):
    waiting, told = session
    waiting.wait(lambda: True, "nothing", 60.0)
    assert told == []


def test_a_wait_in_vain_ends_after_its_time_and_quotes_the_planner(session, monkeypatch):
    waiting, told = session
    with pytest.raises(DriveError, match="planner: timed out after 1 s waiting for the planner's first status"):
        waiting.wait(lambda: False, "the planner's first status", 1.0)


def test_the_time_to_start_is_an_option(tmp_path):
    bundle = make_tiny_bundle(tmp_path / "bundle")
    words = [
        "--bundle",
        str(bundle),
        "--output",
        str(tmp_path / "out"),
        "--controllers",
        "planner",
        "--start-timeout",
        "0.01",
    ]
    with graph.start("wm_planner", "drive", *words, domain_id=graph.fresh_domain_id()) as drive:
        assert drive.wait(90.0) == 1
        assert "timed out after 0.01 s waiting for the planner's first status" in drive.output()
        assert "Traceback" not in drive.output()

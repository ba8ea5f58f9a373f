"""The figures of a replay, its files, its thresholds and its page."""

import json
import math

import pytest
from browser import browser, check_report  # noqa: F401
from wm_evaluation.report import write_page
from wm_planner.pilot.modes import Mode
from wm_tools.common.errors import ReplayError
from wm_tools.common.thresholds import Threshold, judge
from wm_tools.replay import result
from wm_tools.replay.agreement import Evaluated, compare
from wm_tools.replay.frames import Command, Frame, Status
from wm_tools.replay.page import build_page
from wm_tools.replay.result import FIGURES, Replay, check_thresholds, document, figures

MS = 1_000_000


def replay(frames: list[Frame], evaluated: dict) -> Replay:
    return Replay("drive <1>.mcap", "tiny", 1.0, 60.0, "evaluation", frames, 1, compare(frames, evaluated))


def answered(number: int, latency_ms: float, mode: Mode = Mode.DRIVING, reason: str = "") -> Frame:
    stamp = 80 * MS * number
    return Frame(
        stamp,
        stamp,
        Command(stamp + int(latency_ms * MS), (0.1 * number, 0.2, 0.0)),
        Status(mode, reason, latency_ms - 1.0, latency_ms > 60.0, 16, 2, 1.0, 0),
    )


@pytest.fixture
def played() -> Replay:
    """Four frames: 10 ms, 70 ms and too late, dropped, braked for."""
    frames = [
        answered(0, 10.0),
        answered(1, 70.0),
        Frame(160 * MS, 160 * MS, None, None),
        answered(3, 20.0, Mode.BRAKING, "surprise was 12.5 nats"),
    ]
    evaluation = {frame.stamp_ns: [Evaluated(0, (0.0, 0.2, 0.0), "driving")] for frame in frames}
    return replay(frames, evaluation)


def test_the_figures_are_those_counted_by_hand(played):
    found = figures(played)
    assert list(found) == list(FIGURES)
    assert (found["dropped"], found["dropped_share"]) == (1.0, 0.25)
    assert found["latency_ms.p50"] == 20.0
    assert found["latency_ms.p95"] == pytest.approx(20.0 + 0.9 * 50.0)  # 90 % of the way from 20 to 70
    assert found["planner_latency_ms.max"] == 69.0
    assert (found["deadline_misses"], found["deadline_miss_share"]) == (1.0, pytest.approx(1 / 3))
    assert (found["driving_share"], found["braking_share"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert found["unasked_brakes"] == 1.0
    assert found["agreement.share"] == pytest.approx(1 / 3)
    assert found["agreement.mean_difference"] == pytest.approx((0.0 + 0.1 + 0.3) / 9, abs=1e-6)


def test_reasons_that_differ_in_numbers_only_are_counted_together():
    frames = [answered(n, 10.0, Mode.DEGRADED, f"surprise was {n}.5 nats") for n in range(3)]
    assert dict(replay(frames, {}).reasons) == {"surprise was 0.5 nats": 3}


def test_a_threshold_over_something_unknown_fails(played):
    silent = replay([Frame(0, None, None, None)], {})
    assert math.isnan(figures(silent)["latency_ms.p99"])
    judged = judge([Threshold.parse("latency_ms.p99<1000"), Threshold.parse("dropped<2")], figures(silent))
    assert [verdict.holds for verdict in judged] == [False, True]
    with pytest.raises(ReplayError, match="no figure 'speed'; there are dropped, "):
        check_thresholds([Threshold.parse("speed<1")])


def test_the_files_are_json_that_says_the_same(played, tmp_path):
    judged = judge([Threshold.parse("dropped<1")], figures(played))
    result.write(tmp_path, played, judged)
    written = json.loads((tmp_path / "replay.json").read_text())
    assert written == json.loads(json.dumps(document(played, judged)))
    assert written["frames"] == {"played": 4, "answered": 3, "seen_by_monitor": 4, "longest_drop": 1}
    assert written["agreement"]["causes"] == {"unexplained": 1, "mode": 1}
    assert (written["passed"], written["thresholds"][0]["holds"]) == (False, False)
    lines = [json.loads(line) for line in (tmp_path / "replay.jsonl").read_text().splitlines()]
    assert [line["command"] is None for line in lines] == [False, False, True, False]
    assert lines[1]["latency_ms"] == 70.0


def test_a_replay_of_which_nothing_is_known_has_a_document_and_a_page(tmp_path):
    silent = replay([Frame(0, None, None, None)], {})
    assert document(silent, [])["figures"]["latency_ms.p50"] is None
    write_page(tmp_path / "report.html", build_page(silent, []))


def test_the_page_opens_without_faults_and_says_what_failed(played, tmp_path, browser):  # noqa: F811
    page = build_page(
        played, judge([Threshold.parse("dropped<1"), Threshold.parse("unasked_brakes<5")], figures(played))
    )
    assert page.headline.startswith("1 of 2 thresholds fail")
    write_page(tmp_path / "report.html", page)
    check_report(browser, tmp_path / "report.html", charts=4)  # two of the latency, commands, modes

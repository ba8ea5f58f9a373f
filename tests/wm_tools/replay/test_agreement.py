"""How the running planner's commands are compared with those of the evaluation, and why they may differ."""

import json

import pytest
from wm_planner.pilot.modes import Mode
from wm_tools.common.errors import ReplayError
from wm_tools.replay.agreement import Evaluated, compare, read_evaluation
from wm_tools.replay.frames import Command, Frame, Status


def frame(
    stamp_ns: int, steer: float | None, mode: Mode = Mode.DRIVING, candidates: int = 16, in_flight: int = 0
) -> Frame:
    """Answered with ``steer``; dropped with None."""
    if steer is None:
        return Frame(stamp_ns, 0, None, None)
    searched = 2 if mode in (Mode.DRIVING, Mode.DEGRADED) else 0
    status = Status(mode, "", 5.0, False, candidates, searched, 1.0, in_flight)
    return Frame(stamp_ns, 0, Command(1, (steer, 0.0, 0.0)), status)


def evaluated(*steers: float, episode: int = 0, first: int = 1) -> dict[int, list[Evaluated]]:
    return {first + n: [Evaluated(episode, (steer, 0.0, 0.0), "driving")] for n, steer in enumerate(steers)}


def test_commands_within_the_bound_agree_and_the_mean_is_over_all_three_numbers():
    found = compare([frame(1, 0.10), frame(2, 0.10), frame(3, 0.10)], evaluated(0.10, 0.11, 0.13))
    assert (len(found.joined), found.share, found.causes) == (3, pytest.approx(2 / 3), {"unexplained": 1})
    assert found.differences.mean() == pytest.approx((0.01 + 0.03) / 9)
    assert found.modes_alike == 1.0


def test_frames_that_only_one_has_are_counted_and_not_compared():
    found = compare([frame(1, 0.0), frame(2, None), frame(9, 0.0)], evaluated(0.0, 0.5, 0.5))
    assert (len(found.joined), found.only_live, found.only_evaluated) == (1, 1, 2)
    assert found.share == 1.0


@pytest.mark.parametrize(
    "frames, cause",
    [
        ([frame(1, 0.0), frame(2, 0.5, Mode.BRAKING)], "mode"),
        ([frame(1, None), frame(2, 0.5)], "after a drop"),
        ([frame(1, 0.0, candidates=8), frame(2, 0.5)], "shorter search"),
        ([frame(1, 0.0, in_flight=1), frame(2, 0.5)], "commands in flight"),
        ([frame(1, 0.01), frame(2, 0.5)], "beginning"),
        ([frame(1, 0.0), frame(2, 0.5)], "unexplained"),
    ],
)
def test_a_difference_has_its_cause(frames, cause):
    assert compare(frames, evaluated(0.0, 0.0)).causes == {cause: 1}


def test_a_drop_explains_nothing_in_the_next_episode():
    later = evaluated(0.0, 0.0) | evaluated(0.0, episode=1, first=3)
    frames = [frame(1, None), frame(2, 0.0), frame(3, 0.0), frame(4, 0.5)]
    later[4] = [Evaluated(1, (0.0, 0.0, 0.0), "driving")]
    assert compare(frames, later).causes == {"unexplained": 1}


def test_the_last_frame_of_a_run_is_not_compared_with_that_of_the_next_run_that_has_its_stamp():
    """A run's last frame is no row of an evaluation; the next run begins at the same stamps."""
    both = {
        stamp: [Evaluated(0, (0.1, 0.0, 0.0), "driving")] * (stamp < 3) + [Evaluated(1, (0.9, 0.0, 0.0), "driving")]
        for stamp in range(1, 5)
    }
    frames = [frame(stamp, 0.1) for stamp in (1, 2, 3)] + [frame(stamp, 0.9) for stamp in (1, 2, 3, 4, 5)]
    found = compare(frames, both)
    assert (len(found.joined), found.only_live, found.only_evaluated, found.share) == (6, 2, 0, 1.0)


def test_a_brake_of_both_agrees():
    live = Frame(1, 0, Command(1, (0.0, 0.0, 1.0)), Status(Mode.BRAKING, "x", 5.0, False, 0, 0, 1.0, 0))
    found = compare([live], {1: [Evaluated(0, (0.0, 0.0, 1.0), "braking")]})
    assert (found.share, found.modes_alike) == (1.0, 1.0)


def test_nothing_in_common_is_unknown_and_not_perfect():
    found = compare([frame(1, None)], evaluated(0.0))
    assert (found.share, found.modes_alike, len(found.joined)) == (None, None, 0)


def line(**changes) -> str:
    return (
        json.dumps(
            {"bundle": "b", "episode": 3, "stamp_ns": 7, "mode": "driving", "planned": [0.1, 0.2, 0.0], **changes}
        )
        + "\n"
    )


def test_an_evaluation_is_read_by_bundle_and_its_brakes_are_brakes(tmp_path):
    file = tmp_path / "result.jsonl"
    file.write_text(line() + line(bundle="other") + line(stamp_ns=8, planned=None, mode="braking"))
    assert read_evaluation(file, "b") == {
        7: [Evaluated(3, (0.1, 0.2, 0.0), "driving")],
        8: [Evaluated(3, (0.0, 0.0, 1.0), "braking")],
    }


@pytest.mark.parametrize(
    "text, message",
    [
        ("{}\n", "not the result.jsonl"),
        ("no json", "not the result.jsonl"),
        (line(bundle="other"), "no frame of"),
        (line(planned=["a"]), "not the result.jsonl"),
    ],
)
def test_a_file_that_is_no_evaluation_of_this_bundle_is_refused(tmp_path, text, message):
    (tmp_path / "result.jsonl").write_text(text)
    with pytest.raises(ReplayError, match=message):
        read_evaluation(tmp_path / "result.jsonl", "b")
    with pytest.raises(ReplayError, match="cannot be read"):
        read_evaluation(tmp_path / "none.jsonl", "b")

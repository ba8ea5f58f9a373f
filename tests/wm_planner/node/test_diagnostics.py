"""What the diagnostics say in each situation."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from wm_bundle.pictures.synchroniser import SynchroniserCounts
from wm_bundle.turn_check import Turn
from wm_planner.config import PlannerConfig
from wm_planner.node.diagnostics import Asked, CommandRecord, Diagnostics, EngineFacts, Level, asked_of_search
from wm_planner.pilot.modes import Mode

DRIVING = CommandRecord(Mode.DRIVING, "", 20.0, False, surprise=3.0, candidates=64, iterations=2)


@pytest.fixture
def diagnostics(clock) -> Diagnostics:
    facts = EngineFacts("model", "CPUExecutionProvider", 1, horizon=15, surprise_threshold=10.0)
    return Diagnostics("wm_planner", ["front", "left"], facts, clock=clock)


def drive(diagnostics, clock, seconds: float, record=DRIVING, cameras=(0, 1)) -> None:
    for _ in range(round(seconds / 0.08)):
        for camera in cameras:
            diagnostics.take_image(camera)
        diagnostics.take_command(record, answers_image=True)
        clock.advance(0.08)


def report(diagnostics, counts=None, faults=()):
    """Lines by the task's name."""
    lines = diagnostics.report(counts or SynchroniserCounts(), Asked(128), 60.0, 0.3, faults)
    assert all(line.name.startswith("wm_planner: ") for line in lines)
    return {line.name.removeprefix("wm_planner: "): line for line in lines}


def levels(lines) -> dict[str, str]:
    return {task: line.level.name for task, line in lines.items()}


def test_nothing_has_happened_yet(diagnostics):
    assert levels(report(diagnostics)) == {
        "camera": "STALE",
        "deadline": "STALE",
        "surprise": "STALE",
        "engine": "STALE",
        "mode": "STALE",
        "topics": "OK",
    }


def test_all_is_well_while_driving_and_the_figures_have_units(diagnostics, clock):
    drive(diagnostics, clock, 10.0)
    lines = report(diagnostics)
    assert set(levels(lines).values()) == {"OK"}
    assert lines["camera"].message == "12.5 Hz" and lines["camera"].values["left rate [Hz]"] == "12.5"
    assert float(lines["camera"].values["front age [s]"]) == pytest.approx(0.08)
    assert lines["deadline"].values["latency p99 [ms]"] == "20" and lines["deadline"].values["commands"] == "125"
    assert lines["engine"].values["imagined steps per frame"] == "1920"  # 64 candidates * 2 iterations * 15 steps
    assert lines["surprise"].values["surprise [nats]"] == "3" and lines["mode"].message == "driving"


def test_a_silent_camera_is_an_error_and_named(diagnostics, clock):
    drive(diagnostics, clock, 1.0)
    drive(diagnostics, clock, 1.0, cameras=(0,))
    line = report(diagnostics)["camera"]
    assert line.level is Level.ERROR and line.message == "left: no image for 1.0 s"


def test_cameras_out_of_step_are_a_warning_until_it_is_over(diagnostics, clock):
    drive(diagnostics, clock, 1.0)
    assert report(diagnostics, SynchroniserCounts(12, 1, 1))["camera"].level is Level.WARN
    assert report(diagnostics, SynchroniserCounts(24, 1, 1))["camera"].level is Level.OK


@pytest.mark.parametrize("late, level", [(1, Level.WARN), (7, Level.ERROR)])
def test_late_commands_are_counted(diagnostics, clock, late, level):
    drive(diagnostics, clock, 0.08 * late, replace(DRIVING, latency_ms=90.0, missed=True))
    drive(diagnostics, clock, 0.08 * (10 - late))
    line = report(diagnostics)["deadline"]
    assert line.level is level and line.message == f"{late} of 10 commands late"
    assert line.values["latency max [ms]"] == "90" and line.values["misses"] == str(late)


def test_surprise_a_short_search_and_the_mode_are_reported(diagnostics, clock):
    drive(diagnostics, clock, 0.8, replace(DRIVING, candidates=32))
    drive(diagnostics, clock, 0.8, replace(DRIVING, mode=Mode.DEGRADED, reason="surprise 12 nats", surprise=12.0))
    lines = report(diagnostics, faults=["/cmd: /other publishes commands too"])
    assert lines["surprise"].level is Level.WARN and lines["engine"].level is Level.WARN
    assert lines["engine"].message == "the deadline leaves time for 50 % of the search"  # 32 * 2 of 64 * 2 plans
    assert lines["mode"].level is Level.WARN and lines["mode"].message == "degraded: surprise 12 nats"
    assert lines["topics"].level is Level.ERROR and "/other" in lines["topics"].message


def test_a_brake_without_images_is_an_error_and_makes_the_rest_stale(diagnostics, clock):
    drive(diagnostics, clock, 1.0)
    clock.advance(6.0)
    diagnostics.take_command(CommandRecord(Mode.BRAKING, "no image for 6 s", 0.1, False), answers_image=False)
    assert levels(report(diagnostics)) == {
        "camera": "ERROR",
        "deadline": "STALE",
        "surprise": "STALE",
        "engine": "STALE",
        "mode": "ERROR",
        "topics": "OK",
    }
    diagnostics.reset()
    assert report(diagnostics)["camera"].level is Level.STALE


def test_a_silent_camera_tells_who_publishes_and_between_two_episodes_it_is_no_fault(diagnostics, clock):
    def camera_and_mode(where):
        lines = diagnostics.report(SynchroniserCounts(), Asked(128), 60.0, 0.3, (), lambda: where)
        return lines[0], next(line for line in lines if line.name.endswith("mode"))

    assert camera_and_mode("nobody publishes /a")[0].message == (
        "front: no image yet; left: no image yet; nobody publishes /a"
    )
    drive(diagnostics, clock, 1.0)
    clock.advance(1.0)
    resting = CommandRecord(Mode.BRAKING, "the episode is over", 0.1, False, expected=True)
    diagnostics.take_command(resting, answers_image=False)
    camera, mode = camera_and_mode("/a is published by sim")
    assert camera.level is mode.level is Level.OK and camera.message.endswith("; /a is published by sim")
    diagnostics.take_command(replace(resting, expected=False), answers_image=False)
    assert [line.level for line in camera_and_mode("")] == [Level.ERROR, Level.ERROR]


def test_a_slow_machine_says_what_it_affords_and_whether_that_is_in_time(diagnostics, clock):
    asked = asked_of_search(PlannerConfig(), False, PlannerConfig(candidates=32))

    def engine_line(candidates):
        drive(diagnostics, clock, 10.0, replace(DRIVING, candidates=candidates))
        lines = diagnostics.report(SynchroniserCounts(), asked, 60.0, 0.3, ())
        return next(line for line in lines if line.name == "wm_planner: engine")

    slow = engine_line(32)
    assert slow.level is Level.WARN and "this machine, as measured when configured, has time for 50 %" in slow.message
    assert slow.values["imagined steps afforded"] == "960" and slow.values["imagined steps asked for"] == "1920"
    assert "the deadline leaves time for 25 %" in engine_line(16).message


def test_active_objectives_are_told(diagnostics):
    config = PlannerConfig(target_speed_cost=1.0, target_speed=8.0)
    lines = diagnostics.report(SynchroniserCounts(), asked_of_search(config, False), 60.0, 0.3, ())
    line = next(line for line in lines if line.name == "wm_planner: objectives")
    assert line.level is Level.OK and line.message == "target_speed_cost 1.0, target_speed 8.0"
    actor = PlannerConfig(solver="actor", target_speed_cost=1.0, target_speed=8.0)
    assert not asked_of_search(actor, False).objectives  # it has no use for them


@pytest.mark.parametrize(
    "values, has_ensemble, plans",
    [
        ({}, False, 128),
        ({"solver": "actor"}, False, 1),
        ({"risk": 1.0}, True, 128),
        ({"risk": 1.0}, False, 32),  # 64 // 4 samples * 2 iterations
    ],
)
def test_plans_asked_for_are_those_of_a_whole_search(values, has_ensemble, plans):
    config = PlannerConfig(candidates=64, iterations=2, risk_samples=4, **values)
    assert asked_of_search(config, has_ensemble).plans == plans


def test_a_yaw_rate_that_disagrees_with_the_steering_is_a_warning_and_has_no_line_where_there_is_none(diagnostics):
    def line(turns) -> tuple[str, str] | None:
        pilot = SimpleNamespace(turns=turns, guide=SimpleNamespace(active=False), signals=SimpleNamespace(masked=None))
        lines = diagnostics.report(SynchroniserCounts(), Asked(1), 60.0, 0.3, (), pilot=pilot)
        return next(((one.level.name, one.message) for one in lines if one.name.endswith("yaw rate")), None)

    assert line(None) is None
    assert line(SimpleNamespace(fault=None, fault_told="", told="3 as steered")) == ("OK", "3 as steered")
    wrong = SimpleNamespace(fault=Turn.AGAINST, fault_told="the sign is wrong", told="12 against the steering")
    assert line(wrong) == ("WARN", "the sign is wrong")


@pytest.mark.parametrize(("state", "level"), [("ok", Level.OK), ("waits", Level.STALE), ("fault", Level.ERROR)])
def test_the_route_has_a_line_where_one_is_followed(diagnostics, state, level):
    guide = SimpleNamespace(active=True, told=(state, "follows the route, 83 m left", {"offset [m]": 0.25}))
    pilot = SimpleNamespace(turns=None, guide=guide, signals=SimpleNamespace(masked=None))
    lines = diagnostics.report(SynchroniserCounts(), Asked(1), 60.0, 0.3, (), pilot=pilot)
    (line,) = (one for one in lines if one.name == "wm_planner: route")
    assert (line.level, line.message, line.values) == (level, "follows the route, 83 m left", {"offset [m]": "0.25"})


def test_images_that_were_sent_and_not_received_are_shown_for_each_camera(diagnostics, clock):
    diagnostics.missed = {"front": 0, "left": 3}
    drive(diagnostics, clock, 1.0)
    values = report(diagnostics)["camera"].values
    assert (values["front missed images"], values["left missed images"]) == ("0", "3")

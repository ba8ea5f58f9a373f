"""Property: summary.json has exactly the documented shape and is never half written."""

import json
from dataclasses import replace

import pytest
from wm_bundle.files import write_json
from wm_tools.drive.driving_tables import driving_section, driving_table
from wm_tools.drive.summary import build_summary, driving_of


def test_format(result):
    summary = build_summary(result)
    assert set(summary) == {"bundle", "simulator", "controllers", "control", "machine", "benchmark"}
    assert list(summary["controllers"]) == ["planner", "random"]
    planner = summary["controllers"]["planner"]
    assert set(planner) == {"episodes", "mean_score", "ci95", "driving"}
    unknown = [name for name, cell in planner["driving"].items() if cell["mean"] is None]
    assert unknown == list(planner["driving"])  # these episodes tell nothing of it
    driving = planner["episodes"][1].pop("driving")
    assert set(driving) == {*planner["driving"], "distance_m"} and driving["driving_score"] is None
    assert planner["episodes"][1] == {
        "seed": 9,
        "score": 20.0,
        "steps": 10,
        "terminated": False,
        "off_track_fraction": 0.0,
    }
    # mean of 10 and 20, standard deviation 7.071: 12.7062 * 7.071 / sqrt(2) = 63.53
    assert planner["mean_score"] == 15.0
    assert planner["ci95"] == pytest.approx([15.0 - 63.53, 15.0 + 63.53], abs=0.01)
    assert summary["control"] == {
        "rate_hz": 12.5,
        "latency_ms": {"p50": 20.0, "p95": 20.0, "p99": 20.0, "max": 20.0},
        "deadline_misses": 0,
        "candidates": 48,
        "horizon": 4,
        "imagined_steps": 384,  # 2 iterations * 48 candidates * 4 steps
        "imagined_steps_asked": 512,
    }


def town(episode, completion: float, infractions: tuple[str, ...]):
    """The same drive on a route of a town."""
    steps = [replace(step, route_completion=completion, time_to_collision_s=9.0) for step in episode.steps]
    steps[3] = replace(steps[3], infractions=infractions)
    return replace(episode, steps=steps)


def test_a_world_with_a_route_has_driving_scores_with_an_interval(result):
    first, second = result.episodes["planner"]
    result.episodes["planner"] = [town(first, 1.0, ("red_light",)), town(second, 0.5, ())]
    summary = build_summary(result)
    score = summary["controllers"]["planner"]["driving"]["driving_score"]
    assert (score["mean"], score["low"], score["high"], score["n"]) == pytest.approx((60.0, 50.0, 70.0, 2))
    table = driving_table(driving_of(summary))
    cells = {head: [str(cell) for cell in column.cells] for column in table.columns for head in [column.header]}
    assert cells["planner"][0] == "60.0 (50.0 to 70.0)" and cells["random"][0] == "–"
    section = driving_section(driving_of(summary), {"planner": [70.0, 50.0], "random": [None, None]})
    assert section.title == "Driving score" and len(section.blocks) == 3  # six figures


def test_without_a_model_driving_the_control_figures_are_null(result):
    del result.episodes["planner"]
    control = build_summary(result)["control"]
    assert control["latency_ms"] == dict.fromkeys(("p50", "p95", "p99", "max"))
    assert control["candidates"] is None


def test_the_policy_of_a_controller_is_named_and_its_latency_counts_where_nothing_else_plans(result):
    result.episodes["clone"] = result.episodes.pop("planner")
    summary = build_summary(replace(result, policies={"clone": "clone-01234567"}))
    assert summary["controllers"]["clone"]["policy"] == "clone-01234567"
    assert "policy" not in summary["controllers"]["random"]
    assert summary["control"]["latency_ms"]["p50"] == 20.0


def test_a_frame_without_a_plan_does_not_hide_how_many_candidates_there_were(result):
    """On a busy machine the first image may come before its vehicle_status: the planner brakes."""
    samples = result.episodes["planner"][0].planner
    samples[0] = replace(samples[0], braking=True, reason="no vehicle_status", candidates=0, horizon=0)
    control = build_summary(result)["control"]
    assert (control["candidates"], control["horizon"]) == (48, 4)


def test_a_number_that_is_not_finite_is_refused_and_the_old_file_stays(tmp_path):
    file = tmp_path / "deep" / "summary.json"
    write_json(file, {"a": 1.5})
    with pytest.raises(ValueError):
        write_json(file, {"a": float("nan")})
    assert json.loads(file.read_text()) == {"a": 1.5}

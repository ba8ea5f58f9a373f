"""How large a search is afforded, on an engine that is made slow, and whether it is then in time."""

from dataclasses import replace

import pytest
from fake_planner import cem, make_planner, observe
from wm_planner.config import PlannerConfig
from wm_planner.planning.pace import Pace, budget_ms, measure
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.tuning import Manner, Tuning

CONFIG = PlannerConfig(candidates=64, iterations=2, deadline_ms=60.0)  # 42 ms for a frame
EACH_S = 0.0002  # 2 * 64 * 0.2 ms = 25.6 ms


def tune(config: PlannerConfig) -> Tuning:
    return Tuning(cem(config.candidates, config.iterations), Manner(Scorer(1.0, 1.0)))


def measured(engine, clock, manifest, config=CONFIG):
    planner = make_planner(engine, clock)
    return planner, measure(planner, manifest, config, tune, clock)


@pytest.mark.parametrize(
    "slower, searched",
    [
        (1, (64, 2)),
        (2, (52, 2)),  # 42 ms / (2 * 0.4 ms)
        (6, (17, 2)),  # 42 ms / (2 * 1.2 ms)
        (10, (21, 1)),  # two iterations of 16 would take 64 ms
        (20, (16, 1)),  # not in time either, but there is no smaller search
    ],
)
def test_a_slower_machine_gets_a_smaller_search_that_is_in_time(engine, clock, manifest, slower, searched):
    engine.imagine_s_each = slower * EACH_S
    planner, pace = measured(engine, clock, manifest)
    fits = pace.afforded(CONFIG)
    assert (fits.candidates, fits.iterations) == searched
    assert pace.frame_s(CONFIG) == pytest.approx(128 * slower * EACH_S)
    planner.retune(tune(fits))
    observe(planner)
    begin_s = clock()
    plan = planner.plan(begin_s + 0.048)
    assert clock() - begin_s <= 0.048 + 1e-9
    if slower < 20:
        assert (len(plan.candidates), plan.iterations) == searched


def test_what_a_call_costs_whatever_its_size_counts_once_per_iteration(engine, clock, manifest):
    imagine, engine.imagine_s_each = engine.imagine, EACH_S

    def called(*arguments):
        clock.advance(0.0101)
        return imagine(*arguments)

    engine.imagine = called
    _, pace = measured(engine, clock, manifest)
    assert pace == Pace(pytest.approx(0.0101), pytest.approx(EACH_S))
    assert pace.afforded(CONFIG).candidates == 54  # (21 - 10.1) ms / 0.2 ms


def test_measuring_leaves_no_trace_in_the_plans(engine, clock, manifest):
    used, _ = measured(engine, clock, manifest)
    fresh = make_planner(engine, clock)
    fresh.retune(tune(CONFIG))
    for planner in (used, fresh):
        observe(planner)
    assert (used.plan(clock() + 1.0).actions == fresh.plan(clock() + 1.0).actions).all()


def test_a_search_asked_for_later_is_fitted_by_the_same_pace():
    pace = Pace(0.0009, 0.0005)
    assert pace.afforded(CONFIG).candidates == 40  # (21 - 0.9) ms / 0.5 ms
    assert pace.afforded(replace(CONFIG, candidates=32)).candidates == 32
    assert pace.afforded(replace(CONFIG, deadline_ms=120.0)).candidates == 64  # 84 ms; all take 66 ms
    assert pace.afforded(replace(CONFIG, solver="actor")).candidates == 64  # searches nothing
    assert budget_ms(CONFIG) == pytest.approx(42.0)

"""What a drive through the town is judged by: each infraction by a tick that has it, and how a drive ends."""

import pytest
from wm_sim.town.facts import BLOCKED, GOAL, ROUTE_LEFT
from wm_sim.town.judge import Judge, Seen
from wm_sim.world_facts import TIME_LIMIT

PERIOD_S = 0.08
FINE = {
    "gained_m": 0.4,
    "driven_m": 0.4,
    "limit": 8.0,
    "speed": 5.0,
    "touched": (),
    "ran_red": False,
    "outside": False,
    "deviation_m": 0.0,
    "arrived": False,
    "time_up": False,
}


def judged(judge=None, **other):
    return (judge or Judge(PERIOD_S)).see(Seen(**{**FINE, **other}))


@pytest.mark.parametrize(
    "seen, infractions, ending, reward",
    [
        ({}, (), "", 0.4),
        ({"touched": (104,)}, ("collision_vehicle",), "", 0.4 - 20),
        ({"touched": ("kerb",)}, ("collision_layout",), "", 0.4 - 20),
        ({"ran_red": True}, ("red_light",), "", 0.4 - 20),
        (
            {"touched": (104, "kerb"), "ran_red": True},
            ("collision_vehicle", "collision_layout", "red_light"),
            "",
            -39.6,
        ),
        ({"outside": True}, ("outside_route_lanes",), "", 0.4 - 5 * 0.08),
        ({"deviation_m": 31.0}, ("route_dev",), ROUTE_LEFT, 0.4 - 50),
        ({"time_up": True}, ("route_timeout",), TIME_LIMIT, 0.4),
        ({"arrived": True, "time_up": True}, (), GOAL, 0.4 + 50),
        # 8 m/s allow 0.64 m in a tick: 0.16 m were too much.
        ({"gained_m": 0.8, "driven_m": 0.8}, (), "", 0.64 - 0.16),
    ],
)
def test_a_tick_is_judged_by_what_happened_in_it(seen, infractions, ending, reward):
    verdict = judged(**seen)
    assert verdict.infractions == infractions and verdict.ending == ending
    assert verdict.reward == pytest.approx(reward)


def test_a_lasting_contact_counts_once_and_again_after_5_s_without_it():
    judge = Judge(PERIOD_S)
    found = [judged(judge, touched=(104,)).infractions for _ in range(200)]
    assert found == [("collision_vehicle",)] + [()] * 199
    for pause_ticks, again in ((60, False), (64, True)):  # 4.8 s and 5.12 s
        for _ in range(pause_ticks):
            judged(judge)
        assert bool(judged(judge, touched=(104,)).infractions) == again
    assert judged(judge, touched=(105,)).infractions == ("collision_vehicle",)


def test_being_outside_of_the_lanes_counts_as_long_as_it_lasts():
    judge = Judge(PERIOD_S)
    found = [judged(judge, outside=out).infractions for out in (True, True, False, True)]
    assert [bool(names) for names in found] == [True, True, False, True]


def test_a_car_that_stands_for_60_s_is_blocked_and_one_that_moved_meanwhile_is_not():
    judge = Judge(PERIOD_S)
    for _ in range(700):  # 56 s
        assert not judged(judge, speed=0.0).ending
    assert not judged(judge, speed=0.2).ending
    verdicts = [judged(judge, speed=0.05) for _ in range(750)]  # 60 s
    assert [verdict.ending for verdict in verdicts] == [""] * 749 + [BLOCKED]
    assert verdicts[-1].infractions == ("vehicle_blocked",) and verdicts[-1].reward == pytest.approx(0.4 - 150)

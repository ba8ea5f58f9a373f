"""The worlds by name: what is known of them without their libraries is what they do."""

import subprocess
import sys
from dataclasses import dataclass

import pytest
from wm_sim.worlds import DEFAULT_WORLD, WORLDS, world_of_map, worlds_described

LIBRARIES = ("gymnasium", "highway_env", "pygame", "Box2D", "cv2", "numpy")


@dataclass
class Last:
    reward: float = 0.0
    wheels_off_road: int = 0
    terminated: bool = False
    truncated: bool = False


def test_what_is_known_of_the_worlds_needs_none_of_their_libraries():
    code = f"import sys, wm_sim.worlds; print([name for name in {LIBRARIES} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.parametrize("name", WORLDS)
def test_an_episode_without_failure_lasts_as_long_as_is_known(name):
    period_s = 0.08
    world, steps = WORLDS[name].make(period_s, 0), 0
    world.reset(3)
    done = None
    while done is None or not (done.terminated or done.truncated):
        if steps % 700 == 699:
            world.push(1.0, 0.0, 0.0)  # where a car that stands for a minute ends it
        done = world.step(0.0, 0.0, 1.0)
        steps += 1
    assert steps == WORLDS[name].episode_s / period_s and done.ending == "time limit"


@pytest.mark.parametrize(
    "name, last, ending",
    [
        ("carracing", Last(reward=3.0, terminated=True), "lap finished"),
        ("carracing", Last(reward=-99.0, terminated=True), "left the field"),
        ("traffic", Last(terminated=True, wheels_off_road=4), "left the road"),
        ("traffic", Last(terminated=True, wheels_off_road=3), "collision"),
        ("town", Last(reward=50.0 - 40.4, terminated=True), "goal reached"),
        ("town", Last(reward=-50.0, terminated=True), "left the route"),
        ("town", Last(reward=-50.0 - 40.4, terminated=True), "left the route"),
        ("town", Last(reward=-150.0, terminated=True), "blocked"),
        *((name, Last(truncated=True), "time limit") for name in WORLDS),
        *((name, Last(), "stopped") for name in WORLDS),
    ],
)
def test_endings_in_words(name, last, ending):
    assert WORLDS[name].ending(last) == ending


def test_worlds_are_found_by_their_maps():
    assert [world_of_map(facts.map_name) for facts in WORLDS.values()] == list(WORLDS.values())
    assert world_of_map("Town01") is world_of_map(None) is None
    assert DEFAULT_WORLD == "carracing" and WORLDS["carracing"].simulator == "wm_sim (CarRacing-v3)"
    assert worlds_described() == (
        "carracing: CarRacing's empty tracks; traffic: a road with other cars; "
        "town: a town with a route, traffic lights and other cars"
    )


def test_carracing_progress_is_the_share_of_the_tiles():
    # Two steps of four frames with 3 and 2 of 200 tiles (5 points each), then one that left the field.
    steps = [Last(15.0 - 0.4), Last(10.0 - 0.4), Last(-100.0, terminated=True)]
    assert WORLDS["carracing"].progress(steps, 0.08) == pytest.approx(5 / 200)
    assert WORLDS["carracing"].progress([Last(999.6)], 0.08) == 1.0
    assert WORLDS["traffic"].progress(steps, 0.08) is None

"""What `inspect` says of route columns; and that folders with and without them are not mixed."""

from dataclasses import replace

import numpy as np
import pytest
from make_episodes import make_episode
from routed_episodes import ROWS, WAVES, routed
from wm_data.agreement import check, traits_of
from wm_data.episodes import EpisodeError, read_episode, write_episode
from wm_data.inspection import facts
from wm_data.inspection.routes import RouteSurvey
from wm_data.inspection.survey import survey


def surveyed(*episodes) -> RouteSurvey:
    found = RouteSurvey()
    for episode in episodes:
        found.add(episode)
    return found


def test_routes_that_turn_both_ways_are_summed_up_and_nothing_is_wrong(tmp_path):
    file = write_episode(tmp_path / "one.npz", routed(WAVES))
    found = survey({file: "train"}, 0)
    lines = dict(facts.overview(found))
    assert lines["route"].startswith("known in 100% of 200 rows, all of it in ") and "hindsight (1)" in lines["route"]
    assert all(word in lines["route ahead"] for word in ("left", "straight", "right"))
    assert lines["beside the route"].startswith("usually 0.")
    assert not found.routes.problems() and not [text for _, text in facts.problems(found, 10) if "route" in text]


@pytest.mark.parametrize(
    "turns, noise_m, said",
    [
        (np.zeros(ROWS), 0.5, "the routes lead straight ahead in 100.0%"),
        (np.full(ROWS, 0.2), 0.5, "100% of the routes' turns are to the left"),
        (np.full(ROWS, -0.2), 0.5, "100% of the routes' turns are to the right"),
        (WAVES / 20.0, 0.0, "the vehicle is always on its route"),
    ],
)
def test_routes_that_teach_nothing_are_said(tmp_path, turns, noise_m, said):
    file = write_episode(tmp_path / "one.npz", routed(turns, noise_m))
    problems = facts.problems(survey({file: "train"}, 0), 10)
    assert any(text.startswith(said) for where, text in problems if where == "the folder")


def test_routes_of_which_nothing_is_known_are_said():
    episode = routed(WAVES)
    nothing = replace(episode, vector=np.where(np.arange(14) > 0, np.float32(np.nan), episode.vector))
    assert surveyed(nothing).problems() == ["no row knows its route"]
    assert surveyed(make_episode(20)).overview() == surveyed(make_episode(20)).problems() == []


def test_episodes_with_and_without_a_route_are_refused_together(tmp_path):
    one, other = routed(WAVES), make_episode(ROWS)
    with pytest.raises(EpisodeError, match="other has the vector inputs speed .*: keep them in separate folders"):
        check([traits_of("one", one), traits_of("other", other)])
    files = [write_episode(tmp_path / "a.npz", one), write_episode(tmp_path / "b.npz", other)]
    told = facts.problems(survey(dict.fromkeys(files, "train"), 0), 10)
    assert any("episodes differ in vector, training refuses them together" in text for _, text in told)


def test_the_numbers_that_are_not_known_survive_a_file(tmp_path):
    episode = routed(WAVES)
    assert np.isnan(episode.vector).any()
    again = read_episode(write_episode(tmp_path / "one.npz", episode))
    np.testing.assert_array_equal(again.vector, episode.vector)

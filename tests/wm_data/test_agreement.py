"""Episodes that mean something else are refused together, in the same words wherever they meet."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from make_episodes import META, make_episode
from wm_data.agreement import check, contradictions, differences, notes, told, traits_of
from wm_data.episodes import EpisodeError

EPISODE = make_episode(4, size=32)


def traits(name="usual", episode=EPISODE, **meta):
    return traits_of(name, replace(episode, meta={**episode.meta, **meta}))


def camera(**change):
    return {"cameras": [{**META["cameras"][0], **change}]}


@pytest.mark.parametrize(
    "odd, words",
    [
        (camera(name="rgb_left"), "odd is of the cameras rgb_left .96x96., usual is of the cameras rgb_front"),
        (camera(source_width=192), "odd is of the cameras rgb_front .192x96."),
        (camera(crop=[0, 0, 64, 64]), r"crop \[0, 0, 64, 64\]"),
        (camera(letterbox=True), "letterbox"),
        ({"rate_hz": 10.0}, "odd is at 10 Hz, usual is at 12.5 Hz"),
        ({"rate_hz": None}, "odd is at a rate that is not told"),
        ({"vector": [{"name": "speed", "unit": "km/h"}]}, r"odd has the vector inputs speed \[km/h\], usual"),
        ({"vector": None}, "odd has the vector inputs 1 without names"),
        ({"max_steer_deg": 30.0}, "odd has max_steer_deg 30, usual has max_steer_deg 70: convert them with one"),
        ({"action_convention": "steer left positive"}, "steer left positive"),
        ({"reward": "driving-1"}, "odd has the reward driving-1, usual has the reward step_result"),
        ({"target_speed_mps": 5.0}, "target_speed_mps 5"),
    ],
)
def test_each_difference_of_meaning_is_refused_with_both_sides_and_what_to_do(odd, words):
    usual = dict(max_steer_deg=70.0, action_convention="steer right positive", target_speed_mps=8.0)
    check([traits(**usual), traits("also usual", **copy.deepcopy(usual))])
    with pytest.raises(EpisodeError, match=words):
        check([traits(**usual), traits("odd", **usual | odd)])


def test_what_one_does_not_tell_is_taken_for_that_of_the_others_and_named():
    silent, one = traits("silent", reward=None, cameras=None), traits("one", max_steer_deg=70)
    assert not list(differences([silent, one]))
    assert told([silent, one])["reward"] == "step_result" and told([silent, one])["max_steer_deg"] == 70
    said = notes([silent, one])
    assert len(said) == 3 and "1 of 2 episodes, silent the first, do not tell their reward" in said[2]
    with pytest.raises(EpisodeError, match="two has max_steer_deg 30, one has max_steer_deg 70"):
        check([silent, one, traits("two", max_steer_deg=30)])
    assert not notes([one, one])


def test_cameras_of_a_little_other_size_go_together_and_are_named():
    usual, wider = traits(), traits("wider", **camera(source_width=97))
    check([usual, wider])
    assert ["wider rgb_front (97x96)" in text for text in notes([usual, wider])] == [True]
    cropped = [traits("a", **camera(crop=[0, 0, 9, 9])), traits("b", **camera(crop=[0, 0, 9, 9], source_width=97))]
    assert [difference.trait for difference in differences(cropped)] == ["cameras"]  # a crop counts source pixels


def test_a_file_that_names_what_it_does_not_hold_is_told_from_one_that_does():
    empty = traits("empty", replace(EPISODE, vector=np.zeros((4, 0), np.float32)))
    with pytest.raises(EpisodeError, match=r"empty has the vector inputs none \(its meta names speed \[m/s\]\), usual"):
        check([traits(), empty])
    assert list(contradictions(empty)) == ["the meta of empty names the vector inputs speed, but there are 0"]
    assert not list(contradictions(traits())) and list(contradictions(empty)) == notes([empty])

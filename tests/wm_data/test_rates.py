"""One tolerance of rates for training, inspecting and exporting."""

from dataclasses import replace

import pytest
from make_episodes import META, make_episode
from wm_data.episodes import EpisodeError, find_episodes, write_episode
from wm_data.errors import ConversionError
from wm_data.inspection import facts
from wm_data.inspection.survey import survey
from wm_data.lerobot.columns import Layout
from wm_data.rates import rate_of, same_rate
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset


def test_a_rate_that_is_not_known_is_only_like_another_such():
    assert rate_of({"rate_hz": 10}) == 10.0
    for told in (None, "fast", True, 0, -1.0, float("nan"), float("inf")):
        assert rate_of({"rate_hz": told}) is None, told
    assert same_rate(None, None) and not same_rate(None, 10.0) and not same_rate(10.0, None)
    assert same_rate(10.001, 9.975)


@pytest.mark.parametrize(("rate", "one"), [(9.975, True), (9.51, True), (10.52, True), (9.49, False), (10.54, False)])
def test_what_is_one_rate_to_train_is_one_to_inspect_and_to_lerobot(tmp_path, rate, one):
    for name, told in (("a", 10.0), ("b", rate)):
        episode = make_episode(60, seed=ord(name))
        write_episode(tmp_path / f"{name}.npz", replace(episode, meta={**META, "rate_hz": told}))
    files = find_episodes(tmp_path)
    found = survey(dict.fromkeys(files, "train"), 0)
    assert any("differ in rate" in text for _, text in facts.problems(found, 50)) == (not one)
    told = dict(facts.overview(found))["rate"]
    assert told == (f"{min(rate, 10.0):g} to {max(rate, 10.0):g} Hz" if one else f"10 Hz (1); {rate:g} Hz (1)")
    config = WorldModelTrainConfig(sequence_length=10, validation_share=0.0, image_size=64)
    for use, refused in (
        (lambda: SequenceDataset(tmp_path, config), EpisodeError),
        (lambda: Layout.of(files), ConversionError),
    ):
        if one:
            use()
        else:
            with pytest.raises(refused, match="rate|Hz"):
                use()

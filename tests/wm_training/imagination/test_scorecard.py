from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from make_episodes import make_episode
from wm_data.episodes import EpisodeError, drives_in
from wm_evaluation.scorecard.summary import summarise
from wm_training.imagination.scorecard import action_donors, measure, plan_windows, read_windows, typical_window
from wm_training.imagination.visualize_options import WindowSettings
from wm_training.model.open_loop import OpenLoop

SETTINGS = WindowSettings(context=3, horizon=6, frames=150, resamples=50)


def answering_episode(rows: int, seed: int):
    """An episode of which picture and reward say exactly what the last action was: 128 + 100 steer, and steer."""
    episode = make_episode(rows, seed=seed)
    steer = episode.actions[:, 0]
    level = np.concatenate([[128], np.round(128 + 100 * steer[:-1])]).astype(np.uint8)
    pictures = np.broadcast_to(level[:, None, None, None], (rows, 3, 64, 64))
    return replace(episode, observations=pictures, rewards=steer)


EPISODES = [answering_episode(40, seed) for seed in range(4)]


def prediction(batch, imagined, rewards, sure_to_go_on=False) -> OpenLoop:
    """What a predictor without a model says; its reconstructions are exact, and so is what it says of ends."""
    context, steps = SETTINGS.context, SETTINGS.horizon
    real_continues = 1.0 - batch.terminal[:, context - 1 : context - 1 + steps]
    continues = torch.ones_like(real_continues) if sure_to_go_on else real_continues
    return OpenLoop(
        context=context,
        truth=batch.image,
        posterior=batch.image,
        imagined=imagined,
        sampled=imagined[:, None],
        rewards=rewards,
        continues=continues,
        values=rewards,
        sampled_rewards=rewards[:, None].repeat(1, 3, 1),
        sampled_continues=continues[:, None].repeat(1, 3, 1),
        sampled_values=rewards[:, None],
        real_rewards=batch.reward[:, context - 1 : context - 1 + steps],
        real_continues=real_continues,
        disagreement=None,
        vector=batch.vector[:, context:] + 0.5,  # half a m/s too fast
        sampled_vector=batch.vector[:, None, context:].repeat(1, 3, 1, 1),
        real_vector=batch.vector,
    )


def copying(batch, seed) -> OpenLoop:
    context = SETTINGS.context
    pictures = batch.image[:, context - 1 : context].expand(-1, SETTINGS.horizon, -1, -1, -1)
    return prediction(batch, pictures, batch.reward[:, context - 2 : context - 1].expand(-1, SETTINGS.horizon))


def perfect(batch, seed, **how) -> OpenLoop:
    steer = batch.action[:, SETTINGS.context - 1 : -1, 0]
    level = (128 + 100 * steer).round().to(torch.uint8)
    return prediction(batch, level[..., None, None, None].expand(-1, -1, 3, 64, 64), steer, **how)


def card_of(predict, settings=SETTINGS, episodes=EPISODES) -> dict:
    windows = plan_windows(episodes, settings)
    return summarise(measure(episodes, windows, predict, settings), settings, mean_reward=0.25)


def test_windows_meet_every_row_equally_often_and_the_first_of_a_drive_is_whole():
    settings = WindowSettings(context=3, horizon=6, frames=9 * 76)
    counts = np.zeros(40)
    for seed in range(100):
        windows = plan_windows(EPISODES, replace(settings, seed=seed))
        assert len(windows) == 76 and {window.episode for window in windows} == {0, 1, 2, 3}
        assert all(window.rows == min(9, 40 - window.start) for window in windows)
        for window in windows:
            counts[window.start] += 1
    # 19 windows of 38 starts in each of 4 episodes, 100 times: 200 on average. The first one is moved, if at all,
    # only where a drive has a single window.
    assert counts[38:].sum() == 0 and counts[:38] == pytest.approx(200, rel=0.2)
    short = plan_windows(EPISODES, replace(settings, frames=1))
    assert [window.rows for window in short] == [9, 9, 9, 9]


def test_drives_that_are_too_short_are_left_out_and_none_at_all_is_an_error():
    windows = plan_windows([make_episode(8), make_episode(9), make_episode(30)], SETTINGS)
    assert {window.episode for window in windows} == {1, 2}
    with pytest.raises(EpisodeError, match="9 rows .* the longest has 8: lower --horizon"):
        plan_windows([make_episode(8), make_episode(5)], SETTINGS)
    with pytest.raises(EpisodeError, match="longest has 0"):
        plan_windows([], SETTINGS)


def test_no_window_runs_across_the_end_of_a_drive():
    dones = np.zeros(40, bool)
    dones[[11, 14, 39]] = True
    episode = replace(make_episode(40), dones=dones)
    parts = list(drives_in(episode))
    assert [(row, len(part)) for row, part in parts] == [(0, 12), (12, 3), (15, 25)]
    windows = plan_windows([part for _, part in parts], replace(SETTINGS, frames=400))
    assert {window.episode for window in windows} == {0, 2}
    for window in windows:
        assert window.start + window.rows <= len(parts[window.episode][1])


def test_the_end_of_a_drive_is_measured_and_nothing_behind_it():
    episodes = [EPISODES[0]]
    windows = plan_windows(episodes, replace(SETTINGS, frames=9 * 38))[-8:]
    last = next(i for i, window in enumerate(windows) if window.rows == 5)  # rows 35 to 39, 3 of them seen
    measured = measure(episodes, windows, perfect, SETTINGS)
    # Step 1 shows o_38, step 2 o_39, step 3 is the reward and the end that a_39 led to, without a picture.
    assert np.isfinite(measured.squared_errors["imagined"][last]).tolist() == [True, True] + [False] * 4
    assert np.isfinite(measured.real_rewards[last]).tolist() == [True] * 3 + [False] * 3
    assert measured.real_continues[last, :3].tolist() == [1.0, 1.0, 0.0]
    assert measured.real_rewards[last, :3] == pytest.approx(EPISODES[0].rewards[37:])
    assert measured.last_reward[last] == EPISODES[0].rewards[36]


def test_nobody_keeps_its_own_actions():
    windows = plan_windows(EPISODES, SETTINGS)
    donors = action_donors(windows, SETTINGS.rows, seed=3)
    assert (donors != np.arange(len(windows))).all()
    assert all(windows[donor].rows == SETTINGS.rows for donor in donors)
    whole = [i for i, window in enumerate(windows) if window.rows == SETTINGS.rows]
    assert sorted(donors[whole]) == whole


def test_a_predictor_that_copies_scores_as_copying_and_has_no_gap():
    card = card_of(copying)
    assert card["picture"]["psnr_db"]["imagined"] == card["picture"]["psnr_db"]["copy_last"]
    assert card["picture"]["ssim"]["imagined"] == card["picture"]["ssim"]["copy_last"]
    assert card["reward"]["mean_absolute_error"]["imagined"] == card["reward"]["mean_absolute_error"]["last_seen"]
    for name in ("picture_against_copy_last", "reward_against_last_seen"):
        assert card["break_even"][name] == {"begins": None, "stops": 1, "stops_ci95": [1, 1]}
    assert card["action_gap"]["psnr_db"]["value"] == [0.0, 0.0, 0.0]
    assert card["action_gap"]["reward_mean_absolute_error"]["value"] == [0.0, 0.0, 0.0]


def test_a_perfect_predictor_never_stops_beating_and_needs_the_right_actions():
    card = card_of(perfect)
    assert card["steps"] == [1, 5, 6]
    assert card["picture"]["psnr_db"]["imagined"]["value"] == [100.0] * 3
    assert card["picture"]["psnr_db"]["shuffled"]["value"][0] < 20
    assert card["reward"]["mean_absolute_error"]["imagined"]["value"] == pytest.approx([0, 0, 0], abs=1e-6)
    for found in card["break_even"].values():
        assert found == {"begins": 1, "stops": None, "stops_ci95": [None, None]}
    assert min(card["action_gap"]["psnr_db"]["value"]) > 80
    low = [interval[0] for interval in card["action_gap"]["reward_mean_absolute_error"]["ci95"]]
    assert min(low) > 0.1
    assert card["return"]["rank_correlation"]["imagined"]["value"] == pytest.approx([1, 1, 1], abs=1e-5)
    assert max(card["return"]["rank_correlation"]["shuffled"]["value"]) < 0.7
    assert card["return"]["inside_samples"]["expected"] == pytest.approx(0.5)  # 3 samples: (3 - 1) / (3 + 1)


def test_imagined_vector_inputs_are_compared_with_holding_the_last_one_seen():
    card = card_of(perfect)
    speed = card["signals"]["speed"]
    assert speed["unit"] == "m/s"
    assert speed["mean_absolute_error"]["imagined"]["value"] == pytest.approx([0.5] * 3, abs=1e-5)
    step = 5.0 / 39  # m/s a row, in episodes of 40 rows from 0 to 5 m/s
    assert speed["mean_absolute_error"]["copy_last"]["value"] == pytest.approx([k * step for k in (1, 5, 6)], abs=1e-4)


def test_few_ends_are_said_to_be_too_few():
    figures = card_of(partial(perfect, sure_to_go_on=True))["continue"]
    assert figures["terminals"] <= 4 and not figures["enough_terminals"]
    # The predictor is sure that drives go on: the Brier score is the share of ends, and so is its calibration error.
    share = 1.0 - figures["reliability"][0]["observed"]
    assert share > 0 and figures["brier"]["value"] == pytest.approx([share])
    assert figures["expected_calibration_error"] == pytest.approx(share)
    assert figures["brier_of_the_share"] == pytest.approx(share * (1 - share))
    many = [answering_episode(12, seed) for seed in range(24)]
    settings = replace(SETTINGS, frames=24 * 27, resamples=1)
    assert card_of(perfect, settings, many)["continue"]["enough_terminals"]


def test_a_missing_camera_is_left_out_of_the_pictures():
    mask = np.ones((40, 1), bool)
    mask[10:30] = False
    episodes = [replace(EPISODES[0], camera_mask=mask), *EPISODES[1:]]
    windows = plan_windows(episodes, SETTINGS)
    seen = np.isfinite(measure(episodes, windows, copying, SETTINGS).squared_errors["imagined"])
    for window, known in zip(windows, seen, strict=True):
        rows = window.start + SETTINGS.context + np.arange(SETTINGS.horizon)
        there = rows < 40
        if window.episode == 0:
            there &= (rows < 10) | (rows >= 30)
            last = window.start + SETTINGS.context - 1
            there &= not 10 <= last < 30
        assert known.tolist() == there.tolist()


def test_the_only_window_there_is_has_no_gap_to_tell():
    card = card_of(perfect, episodes=[answering_episode(9, 0)])
    assert card["action_gap"]["psnr_db"]["value"] == [None] * 3
    assert card["picture"]["psnr_db"]["imagined"]["ci95"] == [[None, None]] * 3


def test_the_typical_window_has_the_median_error():
    windows = plan_windows(EPISODES, SETTINGS)
    measured = measure(EPISODES, windows, copying, SETTINGS)
    errors = measured.squared_errors["imagined"][:, -1]
    shown = typical_window(windows, measured)
    known = np.sort(errors[np.isfinite(errors)])
    assert errors[windows.index(shown)] == known[(len(known) - 1) // 2]
    assert typical_window(windows, measured, episode=2).episode == 2


@pytest.mark.parametrize(("field", "value"), [("context", 1), ("horizon", 0), ("frames", 0), ("seed", -1)])
def test_settings_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        WindowSettings(**{field: value})


def test_short_windows_repeat_their_last_row():
    window = plan_windows(EPISODES, replace(SETTINGS, frames=9 * 76))[18]
    assert window.rows < 9
    batch = read_windows(EPISODES, [window], 9)
    assert batch.image.shape == (1, 9, 3, 64, 64)
    assert torch.equal(batch.image[0, -1], torch.from_numpy(EPISODES[0].observations[-1].copy()))

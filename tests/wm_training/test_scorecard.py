from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from make_episodes import make_episode
from torchmetrics.functional.image import peak_signal_noise_ratio
from wm_data.episodes import EpisodeError
from wm_training.imagination.open_loop import OpenLoop
from wm_training.imagination.scorecard import action_donors, drives, measure, plan_windows, read_windows, typical_window
from wm_training.imagination.scorecard_metrics import (
    EpisodeBootstrap,
    break_even,
    camera_mean,
    imagined_returns,
    psnr,
    rank_correlation,
    real_returns,
    reliability,
    squared_error,
    ssim,
)
from wm_training.imagination.scorecard_settings import ScoreSettings
from wm_training.imagination.scorecard_summary import summarise

NAN = float("nan")
SETTINGS = ScoreSettings(context=3, horizon=6, frames=150, resamples=50)


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
        context=context, truth=batch.image, posterior=batch.image, imagined=imagined, sampled=imagined[:, None],
        rewards=rewards, continues=continues, values=rewards, sampled_rewards=rewards[:, None].repeat(1, 3, 1),
        sampled_continues=continues[:, None].repeat(1, 3, 1), sampled_values=rewards[:, None],
        real_rewards=batch.reward[:, context - 1 : context - 1 + steps],
        real_continues=real_continues, disagreement=None,
    )  # fmt: skip


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


def test_psnr_of_a_known_error():
    # Pixels off by 51 of 255: error 0.2, square 0.04, 10 log10(1 / 0.04) = 13.979 dB.
    truth = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8)
    error = squared_error(truth + 51, truth)
    assert error == pytest.approx(np.full((2, 1), 0.04))
    assert psnr(error) == pytest.approx(np.full((2, 1), 13.979), abs=1e-3)
    assert psnr(np.array([0.01, 0.0])) == pytest.approx([20.0, 100.0])
    expected = peak_signal_noise_ratio((truth + 51).float() / 255, truth.float() / 255, data_range=1.0)
    assert psnr(error.mean()) == pytest.approx(float(expected))


def test_every_camera_is_measured_by_itself_and_a_missing_one_does_not_count():
    torch.manual_seed(0)
    truth = torch.randint(0, 256, (2, 4, 6, 16, 16), dtype=torch.uint8)
    predicted = truth.clone()
    predicted[:, :, 3:] = 255 - truth[:, :, 3:]
    error, similarity = squared_error(predicted, truth), ssim(predicted, truth)
    assert error.shape == similarity.shape == (2, 4, 2)
    assert (error[..., 0] == 0).all() and (error[..., 1] > 0.1).all()
    assert similarity[..., 0] == pytest.approx(1.0) and (similarity[..., 1] < 0.5).all()
    values, present = np.array([[1.0, 3.0], [1.0, 3.0], [1.0, 3.0]]), np.array([[1, 1], [1, 0], [0, 0]], bool)
    assert camera_mean(values, present) == pytest.approx([2.0, 1.0, NAN], nan_ok=True)


def test_returns_count_what_is_reached():
    # 1; 1 + 1·2 = 3; 3 + 1·0.5·3 = 4.5
    assert imagined_returns(np.array([[1.0, 2, 3]]), np.array([[1.0, 0.5, 0.9]]))[0] == pytest.approx([1, 3, 4.5])
    rewards = np.array([[1.0, 2, NAN]])
    assert real_returns(rewards, np.array([[1.0, 0, NAN]]))[0] == pytest.approx([1, 3, 3])  # ended for good
    assert real_returns(rewards, np.array([[1.0, 1, NAN]]))[0] == pytest.approx([1, 3, NAN], nan_ok=True)  # cut off


def test_break_even_is_where_the_curves_cross():
    baseline = np.full((5, 4), 2.0)
    model = np.array([[1, 1, 1, 1], [1, 1, 3, 1], [3, 1, 1, 3], [2, 2, 2, 2], [3, 3, 3, 1]])
    found = break_even(model, baseline)
    assert found.begins.tolist() == [1, 1, 2, 5, 4]
    assert found.stops.tolist() == [5, 3, 4, 1, 5]  # 5: not within 4 steps; equal errors never beat, so 1


def test_rank_correlation_of_known_ranks():
    # Ranks 1 2 3 against 1 3 2: 1 - 6 (0 + 1 + 1) / (3 · 8) = 0.5
    assert rank_correlation(np.array([1.0, 2, 3, NAN]), np.array([10.0, 30, 20, 5])) == pytest.approx(0.5, abs=1e-5)
    assert np.isnan(rank_correlation(np.array([1.0, 1, 1]), np.array([1.0, 2, 3])))
    assert np.isnan(rank_correlation(np.array([1.0, 2]), np.array([1.0, 2])))


def test_reliability_bins_and_calibration_error():
    table, error = reliability(np.array([0.95, 0.95, 1.0, 0.12]), np.array([1.0, 0.0, 1.0, 0.0]))
    assert [(row["from"], row["count"]) for row in table] == [(0.1, 1), (0.9, 3)]
    assert table[1]["predicted"] == pytest.approx(2.9 / 3) and table[1]["observed"] == pytest.approx(2 / 3)
    # (1 · |0.12 - 0| + 3 · |2.9 / 3 - 2 / 3|) / 4 = (0.12 + 0.9) / 4
    assert error == pytest.approx(0.255)


def test_intervals_come_from_resampled_episodes():
    values = np.array([[0.0], [0.0], [1.0], [NAN]])
    bootstrap = EpisodeBootstrap(np.array([7, 7, 9, 9]), resamples=400, seed=0)
    rows = bootstrap.means(values)
    assert rows[0] == pytest.approx([1 / 3])
    # Two episodes of 2 and 1 windows: both the first 0, one of each 1/3, both the second 1.
    assert np.unique(rows[1:].round(6)).tolist() == pytest.approx([0.0, 1 / 3, 1.0], abs=1e-6)
    assert bootstrap.interval(rows)[:, 0] == pytest.approx([0.0, 1.0])
    assert np.isnan(EpisodeBootstrap(np.zeros(4), 10, 0).interval(rows)).all()
    again = EpisodeBootstrap(np.array([7, 7, 9, 9]), resamples=400, seed=0).means(values)
    assert np.array_equal(rows, again)


def test_resampled_rank_correlations_repeat_whole_episodes():
    left, right = np.array([[1.0], [2], [3], [9]]), np.array([[1.0], [3], [2], [9]])
    rows = EpisodeBootstrap(np.array([0, 0, 0, 1]), 60, seed=1).rank_correlations(left, right)
    assert rows[0] == pytest.approx([0.8], abs=1e-5)  # 1 - 6 · 2 / (4 · 15)
    # The three of the first episode twice have the correlation of the three; the second alone has none.
    found = np.unique(rows[1:].round(4))
    assert found[np.isfinite(found)].tolist() == pytest.approx([0.5, 0.8], abs=1e-3) and np.isnan(found).any()


def test_windows_meet_every_row_equally_often_and_the_first_of_a_drive_is_whole():
    settings = ScoreSettings(context=3, horizon=6, frames=9 * 76)
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
    assert list(drives(episode)) == [(0, 12), (12, 15), (15, 40)]
    windows = plan_windows([episode], replace(SETTINGS, frames=400))
    assert {window.drive for window in windows} == {0, 1}
    for window in windows:
        begin, end = (0, 12) if window.drive == 0 else (15, 40)
        assert begin <= window.start and window.start + window.rows <= end


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
        ScoreSettings(**{field: value})


def test_short_windows_repeat_their_last_row():
    window = plan_windows(EPISODES, replace(SETTINGS, frames=9 * 76))[18]
    assert window.rows < 9
    batch = read_windows(EPISODES, [window], 9)
    assert batch.image.shape == (1, 9, 3, 64, 64)
    assert torch.equal(batch.image[0, -1], torch.from_numpy(EPISODES[0].observations[-1].copy()))

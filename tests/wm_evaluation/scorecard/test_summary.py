import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from wm_evaluation.metrics.pictures import psnr
from wm_evaluation.scorecard.measurements import Measurements, join, part
from wm_evaluation.scorecard.sections import scorecard_sections
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.signals import signal_errors
from wm_evaluation.scorecard.summary import compare, summarise
from wm_evaluation.scorecard.tables import Cards, break_even_rows, measure_tables, spell_break_even
from wm_evaluation.scorecard.terminal import terminal_tables

SETTINGS = ScoreSettings(horizon=6, resamples=100)
NAN = float("nan")


def measured(error=0.01, copied=0.04, rewards=True, ensemble=True, windows=30, samples=7) -> Measurements:
    """Windows in ten segments. Imagined pictures are off by ``error``, a copy by ``copied``; the reward of step k is a
    number of the window's, imagined ones are 0.5 too high and those of other actions 2."""
    random = np.random.default_rng(0)
    shape = (windows, SETTINGS.horizon)
    real = np.repeat(random.normal(0, 3, (windows, 1)), SETTINGS.horizon, 1)
    unknown = np.full(shape, NAN)
    spread = np.linspace(-1.0, 1.0, samples)[None, :, None]
    errors = {"imagined": error, "posterior": 0.001, "copy_last": copied, "shuffled": 0.1}
    return Measurements(
        segment=np.arange(windows) // 3,
        squared_errors={name: np.full(shape, value) for name, value in errors.items()},
        similarities={name: np.full((windows, 3), 1.0 - value) for name, value in errors.items()},
        rewards=real + 0.5,
        shuffled_rewards=real + 2.0,
        sampled_rewards=real[:, None] + 0.5 + spread,
        continues=np.full(shape, 0.99),
        shuffled_continues=np.full(shape, 0.99),
        sampled_continues=np.full((windows, samples, SETTINGS.horizon), 0.99),
        real_rewards=real if rewards else unknown,
        real_continues=np.ones(shape) if rewards else unknown,
        last_reward=real[:, 0] + 1.0,
        disagreement=np.full(shape, 0.3) if ensemble else None,
        signal_errors={"speed": np.stack([np.full(shape, 0.25), 0.5 * np.arange(1, 7) + 0.0 * unknowns(shape)], 1)},
        signal_units={"speed": "m/s"},
    )


def unknowns(shape) -> np.ndarray:
    """Zeros, NaN in the last step of the first window."""
    found = np.zeros(shape)
    found[0, -1] = NAN
    return found


def test_figures_are_those_worked_out_by_hand():
    card = summarise(measured(), SETTINGS, mean_reward=0.0)
    assert card["steps"] == [1, 5, 6] and card["windows"]["segments"] == 10
    assert card["picture"]["psnr_db"]["imagined"]["value"] == pytest.approx([20.0] * 3)  # 10 log10(1 / 0.01)
    assert card["picture"]["psnr_db"]["imagined"]["ci95"][0] == pytest.approx([20.0, 20.0])
    assert card["picture"]["ssim"]["copy_last"]["value"] == pytest.approx([0.96] * 3)
    assert card["reward"]["mean_absolute_error"]["imagined"]["value"] == pytest.approx([0.5] * 3)
    assert card["action_gap"]["psnr_db"]["value"] == pytest.approx([10.0] * 3)  # 20 dB less 10 dB
    assert card["action_gap"]["reward_mean_absolute_error"]["value"] == pytest.approx([1.5] * 3)
    # Seven samples from -1 to 1: their variance is (9 + 4 + 1 + 0 + 1 + 4 + 9) / 9 / 7 = 4 / 9.
    assert card["uncertainty"]["sample_spread"]["size"]["value"] == pytest.approx([2 / 3] * 3)
    assert card["uncertainty"]["disagreement"]["size"]["value"] == pytest.approx([0.3] * 3)
    assert card["continue"]["brier"]["value"] == pytest.approx([0.0001])
    assert card["break_even"]["reward_against_last_seen"] == {"begins": 1, "stops": None, "stops_ci95": [None, None]}
    speed = card["signals"]["speed"]
    assert speed["unit"] == "m/s" and speed["mean_absolute_error"]["imagined"]["value"] == pytest.approx([0.25] * 3)
    assert speed["mean_absolute_error"]["copy_last"]["value"] == pytest.approx([0.5, 2.5, 3.0])  # steps 1, 5 and 6
    assert speed["break_even"]["begins"] == 1 and speed["break_even"]["stops"] is None
    assert len(card["curves"]["signals"]["speed"]["imagined"]["value"]) == 6
    json.dumps(card, allow_nan=False)


def test_what_was_not_recorded_is_not_measured_and_never_zero():
    card = summarise(measured(rewards=False, ensemble=False), SETTINGS, mean_reward=NAN)
    json.dumps(card, allow_nan=False)
    assert card["reward"]["mean_absolute_error"]["imagined"] == {"value": [None] * 3, "ci95": [[None, None]] * 3}
    assert card["break_even"]["return_against_data_mean"] is None and card["mean_reward"] is None
    assert card["break_even"]["picture_against_copy_last"]["begins"] == 1
    assert card["uncertainty"]["disagreement"] is None and card["continue"]["brier_of_the_share"] is None
    assert card["uncertainty"]["sample_spread"]["size"]["value"] == pytest.approx([2 / 3] * 3)  # needs no reward
    cards = Cards({"model": card})
    assert ("reward, against the last one seen", "not measured") in break_even_rows(cards)
    assert [rows.title for rows in measure_tables(cards)["uncertainty"]] == ["aleatoric", "samples"]
    said = [block.text for section in scorecard_sections(cards) for block in section.blocks if hasattr(block, "text")]
    assert len(said) == 3 and "no ensemble" in said[1] and "holds no rewards" in said[0]


def test_differences_of_two_models_are_paired():
    noise = np.random.default_rng(1).normal(1.0, 0.2, (30, 1))
    hard = measured()
    hard = hard._replace(squared_errors={name: e * noise**2 for name, e in hard.squared_errors.items()})
    easier = hard._replace(squared_errors={name: e / 2 for name, e in hard.squared_errors.items()})
    difference = compare(easier, hard, SETTINGS)
    gained = float(psnr(np.array(0.5)) - psnr(np.array(1.0)))
    # Windows are differently hard, so each alone has a wide interval; half the error is 3 dB in every resample.
    assert difference["picture"]["psnr_db"]["imagined"]["ci95"][0] == pytest.approx([gained, gained])
    assert np.ptp(summarise(hard, SETTINGS, 0.0)["picture"]["psnr_db"]["imagined"]["ci95"][0]) > 0.1
    assert "copy_last" not in difference["picture"]["psnr_db"] and "expected" not in difference["return"]
    assert difference["reward"]["mean_absolute_error"]["imagined"]["value"] == pytest.approx([0.0] * 3)
    assert "disagreement" not in compare(easier, measured(ensemble=False), SETTINGS)["uncertainty"]
    with pytest.raises(ValueError, match="same windows .* 30 windows against 27"):
        compare(easier, measured(windows=27), SETTINGS)


def test_a_table_of_two_models_names_both_and_their_difference():
    ours, theirs = measured(error=0.005), measured()
    cards = Cards(
        {"new": summarise(ours, SETTINGS, 0.0), "old": summarise(theirs, SETTINGS, 0.0)},
        {"old": compare(ours, theirs, SETTINGS)},
    )
    rows = dict(measure_tables(cards)["picture"][0].rows)
    assert str(rows["imagined: new"][0]) == "23.0 (23.0, 23.0)"
    assert str(rows["imagined: new minus old"][0]) == "+3.0 (+3.0, +3.0)"
    assert [name for name in rows if "copy" in name] == ["copy of the last frame"]  # the same for both
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(terminal_tables(cards))
    said = console.export_text()
    assert all(name in said for name in ("PSNR [dB], imagined: new minus old", "Break-even horizon"))


def test_break_even_is_spelled_with_its_interval():
    assert spell_break_even({"begins": 2, "stops": 9, "stops_ci95": [7, None]}, 25) == (
        "better from step 2 until 9 (95 %: 7 to beyond 25)"
    )
    assert spell_break_even({"begins": None, "stops": 1, "stops_ci95": None}, 25) == "never better"


def test_parts_are_joined_in_their_order():
    whole = measured()
    joined = join([part(whole, windows) for windows in (slice(0, 10), slice(10, 30))])
    assert np.array_equal(joined.segment, whole.segment) and np.array_equal(
        joined.sampled_rewards, whole.sampled_rewards
    )
    assert np.array_equal(joined.squared_errors["imagined"], whole.squared_errors["imagined"])
    assert np.array_equal(joined.signal_errors["speed"], whole.signal_errors["speed"], equal_nan=True)
    assert joined.signal_units == {"speed": "m/s"}
    with pytest.raises(ValueError, match="no window was predicted"):
        join([])


@pytest.mark.parametrize(("field", "value"), [("horizon", 0), ("seed", -1), ("seed", 2**32), ("resamples", 0)])
def test_settings_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        replace(SETTINGS, **{field: value})


def test_errors_of_vector_inputs_are_of_moments_with_both_guesses_and_angles_wrap():
    inputs = [("speed", "m/s"), ("route_heading", "rad")]
    imagined = np.array([[[4.0, 3.1], [5.0, 0.0]]])  # one window, two steps
    real = np.array([[[5.0, -3.1], [NAN, 0.5]]])
    found = signal_errors(inputs, imagined, real, last=np.array([[2.0, NAN]]))
    assert found["speed"][0, :, 0].tolist() == [1.0, 3.0] and np.isnan(found["speed"][0, :, 1]).all()
    assert np.isnan(found["route_heading"]).all()  # nothing to hold
    found = signal_errors(inputs, imagined, real, last=np.array([[2.0, 3.1]]))
    assert found["route_heading"][0, :, 0] == pytest.approx([2 * np.pi - 6.2] * 2)  # half a turn is the most
    assert found["route_heading"][0, :, 1] == pytest.approx([0.5, 2.6])


def test_a_model_that_imagines_no_vector_inputs_says_so():
    quiet = measured()._replace(signal_errors={}, signal_units={})
    cards = Cards({"model": summarise(quiet, SETTINGS, mean_reward=0.0)})
    section = next(section for section in scorecard_sections(cards) if section.title == "Vector inputs")
    assert "does not imagine" in section.blocks[0].text
    assert measure_tables(cards)["signals"] == [] and "Vector inputs" not in text_of(cards)


def test_vector_inputs_stand_beside_the_last_one_seen_in_tables_and_text():
    cards = Cards({"model": summarise(measured(), SETTINGS, mean_reward=0.0)})
    (table,) = measure_tables(cards)["signals"]
    assert table.title == "speed error [m/s]"
    assert [(name, str(cells[-1].value)) for name, cells in table.rows] == [
        ("imagined", "0.25"),
        ("last one seen, held", "3.00"),
    ]
    assert "speed error [m/s], last one seen, held" in text_of(cards)
    assert ("speed, against holding the last one seen", "better from step 1 to the end, 6 (95 %: beyond 6)") in [
        tuple(row) for row in break_even_rows(cards)
    ]


def text_of(cards: Cards) -> str:
    stream = io.StringIO()
    Console(file=stream, width=140).print(terminal_tables(cards))
    return stream.getvalue()

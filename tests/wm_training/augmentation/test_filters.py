"""What is kept of an imagined drive."""

import numpy as np
import pytest
from wm_training.augmentation.filters import Calibration, block_means, calibrate, judge

GOES_ON = np.full(50, 0.99)


def limits(**values: float) -> Calibration:
    return Calibration(0.95, 100, "val", values, values)


def flat(*blocks: float) -> np.ndarray:
    """Blocks of ten equal steps."""
    return np.repeat(np.array(blocks), 10)


def test_a_drive_ends_before_the_first_block_over_the_limit_and_says_which_filter_it_was():
    calibration = limits(surprise=2.0, disagreement=0.5)
    verdict = judge(calibration, {"surprise": flat(1, 1, 1, 3, 1), "disagreement": flat(0, 0, 0, 0, 1)}, GOES_ON)
    assert (verdict.rows, verdict.imagined, verdict.reason) == (30, 50, "surprise")
    assert verdict.means == pytest.approx({"surprise": 7 / 5, "disagreement": 1 / 5})
    verdict = judge(calibration, {"surprise": flat(1, 1, 1, 3, 1), "disagreement": flat(0, 1, 0, 0, 0)}, GOES_ON)
    assert (verdict.rows, verdict.reason) == (10, "disagreement")
    verdict = judge(calibration, {"surprise": flat(3, 1, 1, 1, 1), "disagreement": flat(0, 0, 0, 0, 0)}, GOES_ON)
    assert (verdict.rows, verdict.reason) == (0, "surprise")
    verdict = judge(calibration, {"surprise": flat(2, 2, 2, 2, 2), "disagreement": flat(0, 0, 0, 0, 0)}, GOES_ON)
    assert (verdict.rows, verdict.reason) == (50, "horizon")


def test_one_bad_step_is_not_a_bad_block_and_what_is_no_number_is():
    spike = np.ones(50)
    spike[25] = 9.0  # its block's mean is 1.8
    assert judge(limits(surprise=2.0), {"surprise": spike}, GOES_ON).rows == 50
    spike[25] = np.nan
    assert judge(limits(surprise=2.0), {"surprise": spike}, GOES_ON).rows == 20


def test_what_comes_after_the_end_that_the_model_imagines_is_not_judged():
    continues = GOES_ON.copy()
    continues[[16, 30]] = 0.2
    verdict = judge(limits(surprise=2.0), {"surprise": flat(1, 1, 9, 9, 9)}, continues)
    # Row 16 is the last: its action ended the drive.
    assert (verdict.rows, verdict.imagined, verdict.reason) == (17, 17, "end")
    assert judge(limits(surprise=2.0), {"surprise": flat(1, 9, 1, 1, 1)}, continues)[:3] == (10, 17, "surprise")


def test_a_rest_of_half_a_block_is_a_block_and_less_belongs_to_the_one_before():
    values = np.arange(30.0)
    assert block_means(values[:25]).tolist() == [4.5, 14.5, 22.0]
    assert block_means(values[:24]).tolist() == [4.5, 16.5]
    assert block_means(values[:3]).tolist() == [1.0]


def test_recorded_drives_pass_as_often_as_the_quantile_says():
    random = np.random.default_rng(0)
    recorded = random.lognormal(size=2000)
    calibration = calibrate({"surprise": recorded}, 0.9, "val")
    others = random.lognormal(size=2000)
    passed = [judge(calibration, {"surprise": np.full(10, mean)}, GOES_ON[:10]).rows > 0 for mean in others]
    assert np.mean(passed) == pytest.approx(0.9, abs=0.03)
    assert calibration.blocks == 2000 and calibration.usual["surprise"] == pytest.approx(1.0, abs=0.1)

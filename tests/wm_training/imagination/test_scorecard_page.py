"""The page's summary says of a break-even horizon what its table and the evaluation of a bag say."""

import pytest
from wm_evaluation.scorecard.tables import spell_break_even
from wm_training.imagination.scorecard_page import _headline, _tiles


def card(found: dict | None) -> dict:
    curve = {"value": [20.0, 19.0, 18.0]}
    return {
        "steps": [1, 5, 15],
        "data": {"rate_hz": 12.5},
        "picture": {"psnr_db": {"imagined": curve, "copy_last": curve}},
        "action_gap": {"psnr_db": curve},
        "return": {"rank_correlation": {"imagined": curve}},
        "break_even": {"picture_against_copy_last": found, "return_against_last_seen": found},
    }


@pytest.mark.parametrize(
    ("found", "tile", "headline", "spelled"),
    [
        (None, "–", "could not be measured", "not measured"),
        ({"begins": None, "stops": 1}, "never", "never beat copying", "never better"),
        ({"begins": 2, "stops": 6}, "5", "from step 2 to 5, 0.4 s ahead", "better from step 2 until 6"),
        ({"begins": 1, "stops": None}, "15", "from step 1 to 15, 1.2 s ahead", "better from step 1 to the end, 15"),
    ],
)
def test_never_better_is_never_a_number(found, tile, headline, spelled):
    assert _tiles(card(found))[-1].value == tile
    assert headline in _headline(card(found))
    assert spell_break_even(found, 15, interval=False) == spelled

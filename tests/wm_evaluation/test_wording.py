import pytest
from wm_evaluation.wording import counted, spell_duration


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 episodes"), (1, "1 episode"), (2, "2 episodes"), (38094, "38,094 episodes")]
)
def test_one_is_singular_and_all_else_plural(count, text):
    assert counted(count, "episode") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.416, "0.42 s"),
        (3.2, "3.2 s"),
        (9.949, "9.9 s"),
        (9.96, "10 s"),
        (0.00505 * 3600, "18 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185.0, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (7805.0, "2 h 10 min"),
        (3600.0 * 1234, "1,234 h 0 min"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds, text):
    assert spell_duration(seconds) == text

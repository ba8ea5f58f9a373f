import pytest
from wm_bundle.doubts import doubts


@pytest.mark.parametrize(
    "provenance, said",
    [
        ({}, []),
        ({"training": None}, []),
        ({"training": {"health": "fine"}}, []),
        ({"training": {"health": {"verdict": "healthy", "findings": []}}}, []),
        ({"training": {"health": {"verdict": "healthy", "findings": [{"issue": "x", "severity": "note"}, 3]}}}, []),
        (
            {"training": {"updates": 4, "health": {"verdict": "too few updates to judge", "needed_updates": 1310}}},
            ["the model was trained for 4 updates, too few updates to judge, about 1,310 are needed"],
        ),
        (
            {"training": {"health": {"findings": [{"issue": "KL collapse", "severity": "warning"}]}}},
            ["the training of the model was found to suffer from KL collapse"],
        ),
    ],
)
def test_what_speaks_against_driving_is_said_and_nothing_where_nothing_is_told(provenance, said):
    assert doubts(provenance) == said

"""What the recorder says it has lost."""

import pytest
from wm_tools.record.losses import Losses


@pytest.mark.parametrize(
    "numbers, reported, lost",
    [
        ([7, 8, 9], 0, 0),  # it began while the publisher was at 7
        ([7, 8, 12, 13, 20], 2, 9),  # 9 to 11 and 14 to 19; the middleware noticed two of them
        ([50, 51, 1, 60, 2], 3, 3),  # two publishers
        ([5, 100, 6, 101], 0, 0),
        ([None, None], 4, 4),  # a middleware without numbers
        ([3], 1, 0),
    ],
)
def test_messages_lost_are_the_missing_numbers_of_a_topic_s_only_publisher(numbers, reported, lost):
    losses = Losses()
    for number in numbers:
        losses.take("/a", number)
    losses.report("/a", reported)
    assert losses.total == lost
    losses.take("/b", 1)
    losses.take("/b", 3)
    assert losses.total == lost + 1

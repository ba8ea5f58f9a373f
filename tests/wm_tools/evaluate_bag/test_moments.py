"""Which moments are found worth watching."""

import numpy as np
from wm_tools.evaluate_bag.moments import KINDS, Moment, MomentKeeper, Scores, clip_starts

PERIOD_NS = 100_000_000
NOTHING = np.zeros((0, 3, 8, 8), np.uint8)


def scores(drive: int = 0, rows: int = 200, **values) -> Scores:
    """What cannot be told everywhere but in ``values``: kind={row: value}."""
    arrays = {kind: np.full(rows, np.nan) for kind in KINDS}
    for kind, at in values.items():
        for row, value in at.items():
            arrays[kind][row] = value
    return Scores(drive, np.arange(rows) * PERIOD_NS, arrays, {kind: np.arange(rows) for kind in KINDS})


def found(count: int, *stretches: Scores) -> list[tuple[str, float, int]]:
    keeper, before = MomentKeeper(count), 0
    for stretch in stretches:

        def clip(kind, value, row, first, before=before):
            return Moment(kind, value, before + row, before + first, NOTHING, NOTHING)

        keeper.offer(stretch, clip)
        before += len(stretch.stamps_ns)
    return [(moment.kind, moment.value, moment.frame) for moment in keeper.chosen()]


def test_the_worst_of_every_kind_are_taken_in_turn_and_told_in_the_order_of_time():
    stretch = scores(surprise={10: 9.0, 60: 8.0}, action={150: 2.0, 100: 1.0}, prediction={190: 0.5})
    assert found(4, stretch) == [
        ("surprise", 9.0, 10),
        ("surprise", 8.0, 60),
        ("action", 2.0, 150),
        ("prediction", 0.5, 190),
    ]


def test_two_moments_are_at_least_two_seconds_apart_within_a_kind_and_between_kinds():
    stretch = scores(surprise={50: 9.0, 51: 8.9, 69: 8.8, 70: 8.7}, action={55: 3.0, 90: 2.0})
    assert found(3, stretch)[:3] == [("surprise", 9.0, 50), ("surprise", 8.7, 70), ("action", 2.0, 90)]


def test_moments_of_other_recordings_may_have_the_same_stamps():
    two = found(2, scores(0, surprise={50: 9.0}), scores(1, action={50: 3.0}))
    assert two == [("surprise", 9.0, 50), ("action", 3.0, 250)]


def test_the_worst_so_far_give_way_to_worse_ones_of_later_stretches():
    later = found(1, scores(0, surprise={50: 3.0}), scores(1, surprise={20: 4.0}), scores(2, surprise={20: 1.0}))
    assert later == [("surprise", 4.0, 220)]


def test_none_are_taken_of_what_cannot_be_told_or_cannot_be_imagined_from():
    stretch = scores(surprise={50: np.nan, 80: 5.0}, action={120: 2.0})
    stretch.clip_starts["action"][120] = -1
    assert found(6, stretch) == [("surprise", 5.0, 80)] and found(0, stretch) == []


def test_a_clip_begins_where_there_is_a_belief_at_most_so_many_rows_before():
    usable = np.array([True, True, False, False, True, False, False, False])
    assert clip_starts(usable, 2).tolist() == [-1, 0, 0, 1, -1, 4, 4, -1]

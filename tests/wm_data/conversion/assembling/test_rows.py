import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_drive import MS, drive, number_of, picture_of
from wm_data.conversion.assembling.rows import RowChooser
from wm_data.conversion.drive import Picture
from wm_data.errors import ConversionError


def rows_of(made, rate=None, tolerance_ms=None):
    chooser = RowChooser(made, rate, None if tolerance_ms is None else tolerance_ms * MS)
    return list(chooser.rows(made.pictures))


def front(stamps):
    return [(0, stamp, stamp % 60000) for stamp in stamps]


def shown(rows):
    return [number_of(row.pictures[0]) for row in rows]


def test_at_the_cameras_own_rate_every_picture_is_a_row_with_its_own_stamp():
    stamps = [0, 98, 203, 299, 405]
    rows = rows_of(drive(front(stamps)))
    assert shown(rows) == stamps and [row.stamp_ns for row in rows] == [t * MS for t in stamps]
    assert [row.cut for row in rows] == [None] * 5


def test_a_gap_cuts_and_says_how_long_it_was():
    rows = rows_of(drive(front([0, 100, 200, 450, 550])))
    assert [row.cut for row in rows] == [None, None, None, "no picture of front for 0.250 s", None]


def test_a_lower_rate_takes_the_pictures_nearest_to_its_grid_and_begins_the_grid_anew_after_a_gap():
    rows = rows_of(drive(front([0, 35, 60, 90, 125, 150, 180, 1010, 1045, 1070, 1100]), period_ms=30), rate=1 / 0.06)
    assert shown(rows) == [0, 60, 125, 180, 1010, 1070, 1100]  # the last one is half a period early
    assert rows[4].cut == "no picture of front for 0.830 s"


def test_nuscenes_sweeps_of_50_and_100_ms_become_10_hz_without_a_cut():
    stamps = [0, 83, 167, 250, 333, 383, 483, 583, 667, 750, 833]
    rows = rows_of(drive(front(stamps), period_ms=83), rate=10.0)
    assert all(row.cut is None for row in rows) and len(rows) == 9


def test_a_rate_above_that_of_the_pictures_is_refused():
    with pytest.raises(ConversionError, match="front has 10 pictures per second, 20 Hz were requested"):
        rows_of(drive(front(range(0, 1000, 100))), rate=20.0)


def test_repeated_and_backward_stamps_are_left_out_and_counted():
    made = drive(front([0, 100, 100, 200, 150, 300]))
    rows = rows_of(made)
    assert shown(rows) == [0, 100, 200, 300] and all(row.cut is None for row in rows)
    assert made.report.skipped == {
        "picture of front whose stamp repeats": 1,
        "picture of front whose stamp goes backwards": 1,
    }


@pytest.mark.parametrize("rate", [None, 5.0])
def test_a_clock_that_begins_anew_cuts(rate):
    stamps = [*range(5000, 6001, 100), *range(0, 1001, 100)]
    rows = rows_of(drive(front(stamps)), rate)
    cuts = [(row.stamp_ns // MS, row.cut) for row in rows if row.cut]
    assert cuts == [(0, "stamps jumped back by 6.0 s")]


@pytest.mark.parametrize("rate", [None, 5.0])
def test_a_damaged_picture_is_no_row_and_cuts(rate):
    pictures = [(0, t, None if t == 600 else t) for t in range(0, 1201, 100)]
    made = drive(pictures)
    rows = rows_of(made, rate)
    assert 600 not in shown(rows) and [row.stamp_ns // MS for row in rows if row.cut] == [700 if rate is None else 800]
    assert made.report.skipped == {"picture of front: cut short": 1}


def test_other_cameras_are_joined_by_the_nearest_stamp_within_the_tolerance_and_are_missing_beyond():
    pictures = []
    for t in range(0, 1000, 100):
        pictures.append((0, t, t))
        if t != 400:
            pictures.append((1, t + 30, t + 30))
    made = drive(pictures, cameras=("front", "left"))
    rows = rows_of(made)
    found = [None if row.pictures[1] is None else number_of(row.pictures[1]) for row in rows]
    assert found == [30, 130, 230, 330, None, 530, 630, 730, 830, 930]
    assert all(row.cut is None for row in rows)
    assert all(row.pictures[1] is None for row in rows_of(drive(pictures, cameras=("front", "left")), tolerance_ms=20))


def test_a_camera_that_falls_silent_holds_nothing_up():
    pictures = [(camera, t, t) for t in range(0, 5000, 100) for camera in (0, 1) if camera == 0 or t < 1000]
    made = drive(iter(pictures), cameras=("front", "left"))
    chooser = RowChooser(made, None, None)
    waiting = []

    def counted():
        for count, picture in enumerate(made.pictures):
            waiting.append(count - len(rows))
            yield picture

    rows = []
    for row in chooser.rows(counted()):
        rows.append(row)
    assert len(rows) == 50 and sum(row.pictures[1] is not None for row in rows) == 10
    assert max(waiting) < 25


@given(gaps=st.lists(st.integers(20, 400), min_size=1, max_size=60), rate=st.sampled_from([None, 2.0, 3.3, 5.0, 9.9]))
def test_rows_are_pictures_of_the_recording_in_order_and_what_is_not_cut_keeps_the_rate(gaps, rate):
    stamps = np.cumsum([0, *gaps]).tolist()
    rows = rows_of(drive(front(stamps)), rate)
    assert rows[0].stamp_ns == 0 and set(shown(rows)) <= set(stamps)
    assert [row.stamp_ns // MS for row in rows] == shown(rows)
    period_ms = 100 if rate is None else 1000 / rate
    for before, after in zip(rows, rows[1:], strict=False):
        step_ms = (after.stamp_ns - before.stamp_ns) / MS
        assert step_ms > 0
        if after.cut is None:
            assert step_ms <= (1.5 * period_ms if rate is None else 2 * period_ms) + 1e-3


def test_a_picture_of_another_run_joins_no_row_though_its_stamp_is_the_same():
    """The other camera lacks the last pictures of the first run and the first ones of the second."""
    made = drive([], cameras=("front", "left"))
    view = made.cameras[0]
    shown = [
        (camera, run, t)
        for run in (0, 1)
        for t in range(0, 900, 100)
        for camera in (1, 0)
        if camera == 0 or (t < 600 if run == 0 else t >= 400)
    ]
    made.pictures = (
        Picture(camera, t * MS, lambda number=t + run: view.from_rgb(picture_of(number).transpose(2, 0, 1)), place)
        for place, (camera, run, t) in enumerate(shown)
    )
    found = [[number_of(picture) if picture is not None else None for picture in row.pictures] for row in rows_of(made)]
    assert found == [[t, t if t < 600 else None] for t in range(0, 900, 100)] + [
        [t + 1, t + 1 if t >= 400 else None] for t in range(0, 900, 100)
    ]

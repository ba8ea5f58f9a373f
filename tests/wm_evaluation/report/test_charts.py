"""Properties: figures show the numbers they were given, the same thing in the same colour, and text as it is."""

import numpy as np
import pytest
from wm_evaluation.report import charts
from wm_evaluation.report.glossary import METRICS
from wm_evaluation.report.palette import COLOURS, assign, colour, see_through
from wm_evaluation.report.series import MOST_POINTS, thinned


def test_a_name_has_its_colour_on_every_page_and_no_two_series_share_one():
    assert assign(["random", "planner"]) == {"random": "grey", "planner": "blue"}
    mine = assign(["planner", "ours", "theirs"])
    assert mine["planner"] == "blue" and len(set(mine.values())) == 3
    assert "teal" not in assign(["ours", "theirs"], ["teal"]).values()
    both = [charts.Series("a", [0, 1], [0, 1], colour="red"), charts.Series("b", [0, 1], [1, 0])]
    figure = charts.lines(both, "", "")
    assert figure.data[0].line.color == colour("red") != figure.data[1].line.color
    # Nine unnamed ones begin anew.
    assert len(assign([f"model {k}" for k in range(9)])) == 9


def test_the_two_themes_map_one_to_one():
    """The script exchanges colours by their values: two with one light value would become one."""
    lights = [light for light, _ in COLOURS.values()]
    assert len(set(lights)) == len(lights)
    assert see_through("blue", 0.5) == "rgba(36,99,214,0.5)"  # 0x24, 0x63, 0xd6
    with pytest.raises(ValueError, match="colour 'blau' is not known, expected one of blue"):
        colour("blau")


def test_panels_share_the_time_the_colours_and_the_legend():
    x = [0.0, 1.0]
    both = [charts.Series(who, x, x) for who in ("ours", "theirs")]
    parts = [charts.Panel("steer", both), charts.Panel("brake", both)]
    figure = charts.panels(parts, "time [s]", x_range=(0.0, 1.0))
    assert [(trace.name, trace.yaxis, trace.showlegend) for trace in figure.data] == [
        ("ours", "y", True),
        ("theirs", "y", True),
        ("ours", "y2", False),
        ("theirs", "y2", False),
    ]
    assert figure.data[0].line.color == figure.data[2].line.color != figure.data[1].line.color
    assert {trace.xaxis for trace in figure.data} == {None} and figure.layout.xaxis.anchor == "y2"
    assert [figure.layout.yaxis.title.text, figure.layout.yaxis2.title.text] == ["steer", "brake"]


def test_a_band_lies_between_its_ends_where_both_are_known():
    series = charts.Series("a", [1, 2, 3, 4], [5, 6, 7, 8], [4, np.nan, 6, 7], [6, 7, 8, 9])
    high, low, line = charts.lines([series], "x", "y").data
    assert high.x.tolist() == low.x.tolist() == [1, 3, 4]
    assert (low.y.tolist(), high.y.tolist()) == ([4, 6, 7], [6, 8, 9])
    assert low.fill == "tonexty" and line.y.tolist() == [5, 6, 7, 8]
    assert high.legendgroup == low.legendgroup == line.legendgroup  # one click hides all of it


def test_long_lines_keep_their_ends_spikes_and_breaks():
    x = np.arange(100_000.0)
    y = np.sin(x)
    y[54_321], y[60_000:61_000] = 99.0, np.nan
    less_x, less_y = thinned(x, y)
    assert len(less_y) <= MOST_POINTS + 2
    assert (less_x[0], less_x[-1]) == (0, 99_999) and (np.diff(less_x) > 0).all()
    assert less_y[less_x == 54_321] == [99.0]
    assert np.isnan(less_y).any() and np.array_equal(y[less_x.astype(int)], less_y, equal_nan=True)
    same_x, _ = thinned(x[:MOST_POINTS], y[:MOST_POINTS])
    assert len(same_x) == MOST_POINTS


def test_an_expected_range_is_as_wide_as_the_lines_and_counts_for_the_axis():
    lines = [charts.Series("a", [3, 9], [1, 2]), charts.Series("b", [5, 12], [1, 2])]
    high, low = charts.lines(lines, "x", "y", expected=charts.Expected(0.1, 10.0)).data[:2]
    assert list(high.x) == list(low.x) == [3, 12]
    assert (set(low.y), set(high.y)) == ({0.1}, {10.0})


def test_histograms_count_every_finite_value_and_mark_the_limit():
    figure = charts.histogram([1.0, 1.0, 5.0, np.nan, np.inf], "x", 12.0, "late")
    assert sum(figure.data[0].y) == 3
    assert figure.layout.shapes[0].x0 == 12.0 and figure.layout.annotations[0].text == "late"
    assert figure.layout.xaxis.range[0] == 0 and figure.layout.xaxis.range[1] > 12.0
    far = charts.histogram([1.0, 5.0], "x", 1000.0, "late")
    assert far.layout.annotations[0].text == "late (1000), further right →" and far.layout.xaxis.range[1] < 10.0
    with pytest.raises(ValueError, match="a histogram of 'x' needs at least one finite value"):
        charts.histogram([np.nan], "x")
    # Bars of a bin too narrow to be seen are widened: 2 / 120.
    thin = charts.binned([0.0, 1e-6], [7], "x", x_range=(-1.0, 1.0))
    assert thin.data[0].width[0] == pytest.approx(2 / 120)


def test_scores_show_the_interval_about_the_mean_where_it_is_known():
    known, unknown = (
        charts.scores([charts.ScoreRow("planner", [900.0, 910.0], 905.0, low, high)], "score").data
        for low, high in ((880.0, 915.0), (None, None))
    )
    bar, dots = known
    assert (bar.x[0], bar.error_x.arrayminus[0], bar.error_x.array[0]) == (905.0, 25.0, 10.0)
    assert list(dots.x) == [900.0, 910.0] and set(dots.y) == {"planner"}
    assert unknown[0].error_x.array is None
    assert bar.marker.color == see_through("blue", 0.3)


def test_text_is_text_for_plotly_too():
    assert charts.plain("<b>&lt; $x$") == "&lt;b&gt;&amp;lt; &#36;x&#36;"


def test_every_definition_is_a_sentence():
    assert METRICS
    for key, metric in METRICS.items():
        assert metric.name and metric.definition.endswith((".", ".)")), key

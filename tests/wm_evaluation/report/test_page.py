"""Properties: a page says what it was given and nothing else, whatever that is; it works in a real browser."""

from browser import PHONE, browser, check_report, visit  # noqa: F401
from full_page import film, page_full_of
from wm_evaluation.report import Chart, Head, Page, Prose, Section, Table, Tile, Video, render, write_page
from wm_evaluation.report import charts as house
from wm_evaluation.report.glossary import METRICS

HOSTILE = (
    """</script><script>window.broken = 1</script><img src=x onerror="window.broken = 2">'"`<b>&lt; $x$ %{y} """
    "é\u2028🚗"
)
RAW = 'onerror="window.broken'  # of HOSTILE, only where nothing was escaped


def test_no_text_becomes_html_anywhere_on_a_page(browser, tmp_path):  # noqa: F811
    html = render(page_full_of(HOSTILE))
    assert RAW not in html
    file = tmp_path / "page.html"
    write_page(file, page_full_of(HOSTILE))
    with visit(browser, file) as opened:
        opened.unfold()
        assert opened.faults == []
        assert opened.page.evaluate("window.broken") is None
        # Shown as it is: as heading, in a table, and as the name of a line in plotly's SVG.
        shown = HOSTILE.replace("\u2028", "")
        for place in ("h1", "tbody th >> nth=0", "td >> nth=0", "dd >> nth=0", ".legendtext >> nth=1"):
            text = opened.page.locator(place).text_content()
            assert text.replace("\u2028", "") == shown, place
        # Pointing at things makes plotly write labels.
        for plot in opened.page.locator(".js-plotly-plot").all():
            plot.scroll_into_view_if_needed()
            box = plot.bounding_box()
            opened.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        assert opened.page.evaluate("window.broken") is None
        assert opened.page.locator("svg img, svg script, svg b").count() == 0
        assert opened.faults == []


def test_a_page_opens_anywhere_and_shows_all_its_plots(browser, tmp_path):  # noqa: F811
    file = tmp_path / "page.html"
    write_page(file, page_full_of("text"))
    check_report(browser, file, charts=7)


def test_a_page_without_charts_does_not_carry_plotly(browser, tmp_path):  # noqa: F811
    page = Page("t", "h", tiles=[Tile("1", "score", "score")], sections=[Section("s", [Prose("p")])])
    assert len(render(page)) < 30_000
    write_page(tmp_path / "page.html", page)
    check_report(browser, tmp_path / "page.html", charts=0)


def test_films_play(browser, tmp_path):  # noqa: F811
    write_page(tmp_path / "page.html", Page("t", "h", sections=[Section("s", [Video(film(), "a film")])]))
    with visit(browser, tmp_path / "page.html") as opened:
        opened.page.wait_for_function("document.querySelector('video').readyState >= 2")
        assert opened.page.evaluate("document.querySelector('video').videoWidth") == 32


def test_definitions_open_and_close_with_the_keyboard_and_stand_at_the_end(browser, tmp_path):  # noqa: F811
    table = Table(["name", Head("late", "deadline_misses")], [["a", "1"]])
    page = Page("t", "h", tiles=[Tile("1", "score", "score")], sections=[Section("s", [table])])
    write_page(tmp_path / "page.html", page)
    with visit(browser, tmp_path / "page.html") as opened:
        button = opened.page.get_by_role("button", name=f"Definition of {METRICS['deadline_misses'].name}")
        button.focus()
        opened.page.keyboard.press("Enter")
        dialog = opened.page.get_by_role("dialog")
        assert METRICS["deadline_misses"].definition in dialog.inner_text()
        opened.page.keyboard.press("Escape")
        assert dialog.count() == 0
        assert button.evaluate("button => button === document.activeElement")
        button.click()
        opened.page.mouse.click(3, 3)  # beside it
        assert dialog.count() == 0
        titles = opened.page.locator("#glossary h3").all_inner_texts()
        assert titles == [METRICS["score"].name, METRICS["deadline_misses"].name]


def test_charts_follow_the_theme(browser, tmp_path):  # noqa: F811
    figure = house.lines([house.Series("a", [0, 1], [0, 1], [0, 0], [1, 2])], "x", "y")
    write_page(tmp_path / "page.html", Page("t", "h", sections=[Section("s", [Chart(figure)])]))
    colours = """() => ['.scatterlayer .js-line[style*="stroke-width: 2"]', '.js-fill', '.xtitle'].map((place) => {
      const style = getComputedStyle(document.querySelector(place));
      return place === '.js-fill' || place === '.xtitle' ? style.fill : style.stroke;
    })"""
    with visit(browser, tmp_path / "page.html") as opened:
        assert opened.page.evaluate(colours) == ["rgb(36, 99, 214)", "rgb(36, 99, 214)", "rgb(91, 102, 117)"]
        opened.page.emulate_media(color_scheme="dark")
        opened.page.wait_for_function(f"({colours})()[0] === 'rgb(110, 163, 255)'")
        assert opened.page.evaluate(colours) == ["rgb(110, 163, 255)", "rgb(110, 163, 255)", "rgb(152, 163, 179)"]
        assert opened.faults == []


def test_no_button_of_a_chart_asks_for_the_network(browser, tmp_path):  # noqa: F811
    figure = house.lines([house.Series("a", [0, 1], [0, 1])], "x", "y")
    write_page(tmp_path / "page.html", Page("t", "h", sections=[Section("s", [Chart(figure)])]))
    with visit(browser, tmp_path / "page.html") as opened:
        opened.page.locator(".js-plotly-plot").hover()
        buttons = opened.page.locator(".modebar-btn")
        titles = buttons.evaluate_all("buttons => buttons.map((button) => button.dataset.title)")
        assert titles == ["Zoom", "Pan", "Reset axes", "Download plot as a PNG"]
        for button in buttons.all()[:-1]:
            button.click()
        with opened.page.expect_download() as download:
            buttons.last.click()
        assert download.value.suggested_filename.endswith(".png")
        assert opened.faults == []


def test_charts_fit_the_window_when_it_changes_and_when_they_are_unfolded(browser, tmp_path):  # noqa: F811
    figure = house.lines([house.Series("a", [0, 1], [0, 1])], "x", "y")
    sections = [Section("s", [Chart(figure)]), Section("f", [Chart(figure)], folded=True)]
    write_page(tmp_path / "page.html", Page("t", "h", sections=sections))
    fits = """[...document.querySelectorAll('.js-plotly-plot')].every((plot) =>
      Math.abs(plot.querySelector('svg.main-svg').getBoundingClientRect().width - plot.offsetWidth) < 1)"""
    with visit(browser, tmp_path / "page.html") as opened:
        assert opened.charts() == 1
        opened.unfold()
        assert opened.charts() == 2 and opened.page.evaluate(fits)
        opened.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        opened.page.wait_for_function(fits)


def test_a_browser_that_cannot_open_plotly_says_so_in_place_of_each_chart(browser, tmp_path):  # noqa: F811
    figure = house.lines([house.Series("a", [0, 1], [0, 1])], "x", "y")
    write_page(tmp_path / "page.html", Page("t", "h", sections=[Section("s", [Chart(figure), Chart(figure)])]))
    with visit(browser, tmp_path / "page.html") as opened:
        opened.page.add_init_script("delete window.DecompressionStream")
        opened.page.reload()
        opened.settle()
        assert all("too old" in text for text in opened.page.locator(".chart").all_inner_texts())
        assert opened.page.locator(".chart[data-state=failed]").count() == 2


def test_the_harness_sees_errors_and_network(browser, tmp_path):  # noqa: F811
    file = tmp_path / "page.html"
    file.write_text(
        "<!DOCTYPE html><body><img src='http://localhost:9/x.png'><p style='width: 2000px'>wide</p>"
        "<script>console.error('so'); new WebSocket('ws://localhost:9/x'); nothing.at.all</script>"
    )
    with visit(browser, file, size=PHONE) as opened:
        opened.page.wait_for_timeout(200)
        said = "\n".join(opened.faults)
        for fault in (
            "so",
            "nothing is not defined",
            "asked for ws://localhost:9/x",
            "asked for http://localhost:9/x.p",
        ):
            assert fault in said
        assert opened.overflow_px() > 1000
    with visit(browser, file, allowed=["http://localhost:9/", "ws://localhost:9/"]) as opened:
        opened.page.wait_for_timeout(200)
        assert not any("asked for" in said for said in opened.faults)

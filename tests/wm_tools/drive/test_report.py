"""Properties: the report is one page that needs nothing else and says what was measured; its replay can be driven."""

import json
import re
from html import unescape

import pytest
from browser import browser, check_report, visit  # noqa: F401
from wm_evaluation.report import render, write_page
from wm_tools.drive.report import build_report
from wm_tools.drive.summary import build_summary


@pytest.fixture
def html(result, manifest) -> str:
    return render(build_report(result, build_summary(result), manifest))


def text_of(html: str) -> str:
    """What a reader sees, on one line."""
    html = re.sub(r"(?s)<(script|style).*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def replay_data(html: str) -> dict:
    return json.loads(re.search(r'(?s)id="replay-data">(.*?)</script>', html)[1])


def test_the_page_says_what_was_measured(html):
    text = text_of(html)
    for said in (
        "The planner scored 15 on average over 2 tracks",
        "<tiny> & test",
        "p50 20.0 ms",
        "0 of 20 steps",
        "2.0 iterations of 48 candidates over 4 steps. That is 384 of the 512 imagined steps asked for",
        "track 7, 0.40 s",
        "Provenance: data episodes 7",
        "rgb_front 10×12",
        "reward_error",
        "abacus, 2 cores",
    ):
        assert said in text, said


def test_the_replay_has_one_entry_for_each_frame(html):
    data = replay_data(html)
    first = data["episodes"][0]
    assert (data["width"], data["height"]) == (10, 12)
    # Ten steps of 1.0 and 3 m/s more each: beside frame k stand the score and the speed reached by then, and the
    # command that followed it.
    assert first["score"] == [float(k) for k in range(10)]
    assert first["speed"] == [3.0 * k for k in range(10)]
    assert first["steer"] == pytest.approx([0.1 * (k + 1) for k in range(10)])
    assert first["time"] == pytest.approx([0.08 * k for k in range(10)])
    assert [future["time"] for future in first["futures"]] == pytest.approx([0.0, 0.4])


def test_without_frames_and_without_a_model_there_is_still_a_page(result, manifest):
    del result.episodes["planner"]
    html = render(build_report(result, build_summary(result), manifest))
    assert "replay-data" not in html
    assert "Reference drive without a model" in text_of(html)


def test_a_reader_finds_all_plots_and_can_drive_the_replay(browser, result, manifest, tmp_path):  # noqa: F811
    file = tmp_path / "report.html"
    write_page(file, build_report(result, build_summary(result), manifest))
    with visit(browser, file) as opened:
        page = opened.page
        # Scores, the first track's replay, how far imagination holds, latency.
        assert opened.charts() == 4
        assert page.locator("#chart-replay-0").is_visible() and not page.locator("#chart-replay-1").is_visible()
        clock, slider = page.locator("[data-part=clock]"), page.locator("[data-part=slider]")
        slider.fill("5")
        assert clock.inner_text() == "0.40 s · 15 m/s · score 5"
        assert page.locator("[data-part=when]").inner_text() == "Imagined at 0.40 s"
        # The cursor follows the slider.
        page.wait_for_function("Math.abs(document.getElementById('chart-replay-0').layout.shapes[0].x0 - 0.4) < 1e-6")
        # A click into a chart goes there: 0.9 of 0.8 s is 0.72 s, frame 9.
        area = page.locator("#chart-replay-0 .draglayer .nsewdrag").first
        area.scroll_into_view_if_needed()
        box = area.bounding_box()
        place = box["x"] + 0.9 * box["width"], box["y"] + box["height"] / 2
        page.mouse.move(*place)
        # As a reader does: what is clicked on is what plotly shows there, a little after the mouse has come.
        page.wait_for_function("document.querySelector('#chart-replay-0 .hoverlayer').textContent.startsWith('0.72')")
        page.mouse.click(*place)
        page.wait_for_function("document.querySelector('[data-part=slider]').value === '9'")
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("document.querySelector('[data-part=play]').textContent === 'Play'")
        assert slider.input_value() == "9"
        page.get_by_role("button", name="track 9").click()
        opened.settle()
        assert opened.charts() == 5 and page.locator("#chart-replay-1").is_visible()
        assert clock.inner_text() == "0.72 s · 27 m/s · score 18"
        assert opened.faults == []


def test_the_report_opens_anywhere(browser, result, manifest, tmp_path):  # noqa: F811
    file = tmp_path / "report.html"
    write_page(file, build_report(result, build_summary(result), manifest))
    check_report(browser, file, charts=4)

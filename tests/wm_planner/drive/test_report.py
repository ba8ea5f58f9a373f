"""Properties: the report is one well-formed page that needs nothing else, and says what was measured."""

import json
import re
from html.parser import HTMLParser

import pytest
from wm_planner.drive.charts import nice_ticks
from wm_planner.drive.report import build_report
from wm_planner.drive.summary import build_summary

VOID = {"meta", "img", "input", "br", "link"}


class Page(HTMLParser):
    """Checks that every element is closed; collects text, and what the page would load."""

    def __init__(self, html: str):
        super().__init__()
        self.open, self.text, self.loads, self.scripts = [], [], [], []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in ("src", "href", "srcset") and value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] in ("script", "style") else self.text).append(data)


def page_of(result, manifest) -> Page:
    return Page(build_report(result, build_summary(result), manifest))


def test_the_page_needs_no_network(result, manifest):
    page = page_of(result, manifest)
    assert page.loads and all(place.startswith("data:image/") for place in page.loads)
    everything = " ".join(page.scripts)
    assert "@import" not in everything and "url(" not in everything and "fetch(" not in everything
    assert set(re.findall(r"https?://[^\"'\s]+", everything)) <= {"http://www.w3.org/2000/svg"}


def test_the_page_says_what_was_measured(result, manifest):
    text = " ".join(" ".join(page_of(result, manifest).text).split())
    for said in ("The planner scored 15 on average over 2 tracks", "<tiny> & test", "p50 20.0 ms", "0 of 20 steps",
                 "2.0 iterations of 64 candidates", "track 7, 0.40 s", "Provenance: data episodes 7",
                 "rgb_front 10×12", "reward_error", "abacus, 2 cores"):
        assert said in text, said


def test_the_replay_has_one_entry_for_each_frame(result, manifest):
    page = page_of(result, manifest)
    data = json.loads(page.scripts[1])
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
    page = page_of(result, manifest)
    assert page.scripts[1] == "null"
    assert "Reference drive without a model" in " ".join(page.text)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.05, 1.05), (0.0, 0.0003), (-120.0, 934.0), (3.0, 1e6)])
def test_ticks_are_round_and_inside(low, high):
    ticks = nice_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert low - 1e-9 <= ticks[0] and ticks[-1] <= high + 1e-9
    steps = {f"{b - a:.3g}" for a, b in zip(ticks, ticks[1:], strict=False)}
    assert len(steps) == 1 and steps.pop().strip("0.e-+")[0] in "125"

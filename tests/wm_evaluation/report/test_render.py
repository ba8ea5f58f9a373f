"""Properties: blocks become what they are meant to be, and what makes no page is refused with a reason."""

import base64
import re
from html import unescape

import cv2
import numpy as np
import plotly.graph_objects as go
import pytest
from full_page import page_full_of
from wm_evaluation.report import Chart, Facts, Fragment, Page, Picture, Section, Table, Tile, render, write_page


def test_pictures_keep_their_pixels_and_colours():
    picture = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    sources = re.findall(
        r'<img src="data:image/(\w+);base64,([^"]+)" alt="what is seen"',
        render(
            Page(
                "t",
                "h",
                sections=[
                    Section(
                        "s",
                        [
                            Picture(picture, "what is seen", lossless=True),
                            Picture(np.full((8, 8, 3), (200, 40, 10), np.uint8), "what is seen"),
                        ],
                    )
                ],
            )
        ),
    )
    (first, exact), (second, near) = sources
    assert (first, second) == ("png", "jpeg")
    exact, near = (
        cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR) for data in (exact, near)
    )
    assert np.array_equal(exact[..., ::-1], picture)
    assert near[4, 4].tolist() == pytest.approx([10, 40, 200], abs=4)


def test_facts_are_flat_and_long_ones_are_folded():
    facts = Facts({"a": 0.123456, "b": {"c": {"d": [1, None]}}, "long": {f"k{k}": k for k in range(13)}}, "Model")
    html = render(Page("t", "h", sections=[Section("s", [facts])]))
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", html[html.index("<main>") :])).split())
    assert "Model a 0.1235 Model: b: c d [1, null]" in text
    assert re.search(r"<details><summary>Model: long</summary>", html) and html.count("<details>") == 1


def test_columns_of_numbers_are_aligned_and_others_are_not():
    rows = [
        ["a", "1.5 ms", "12 %", "–", "1.0 [0.9, 1.1]", "left"],
        ["b", "-3", "1,234", "+2e-05", "1.0 to 2.0", "2 dogs and cats"],
    ]
    html = render(Page("t", "h", sections=[Section("s", [Table(list("abcdef"), rows)])]))
    assert re.findall(r'<th scope="col"( class="number")?>', html) == ["", *[' class="number"'] * 4, ""]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: render(Page("t", "h", tiles=[Tile("1", "late", "deadline_miss")])),
            "'late' names the metric 'deadline_miss'.*near it: deadline_misses",
        ),
        (lambda: Tile("1", "late", tone="red"), "tone is 'red', expected 'good', 'bad' or nothing"),
        (lambda: Table(["a", "b"], [["1", "2"], ["1"]], "times"), "table 'times': row 1 has 1 cells, expected 2"),
        (lambda: Table(["a", "b"], [["1", 2.5]], "times"), "table 'times': row 0 has the cell 2.5, expected text"),
        (lambda: Fragment("", script="'</SCRIPT>'"), "script of a fragment holds '</script' or"),
        (
            lambda: render(Page("t", "h", sections=[Section("s", [Chart(go.Figure(), name="a")] * 2)])),
            "two charts of the page have the name 'a'",
        ),
        (
            lambda: render(Page("t", "h", sections=[Section("s", [Picture(np.zeros((4, 4)), "p")])])),
            r"float64 \(4, 4\), expected uint8 \(h, w, 3\)",
        ),
    ],
)
def test_what_makes_no_page_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_halves_of_characters_are_replaced_and_a_failed_page_leaves_the_old_one(tmp_path):
    file = tmp_path / "deep" / "page.html"
    write_page(file, page_full_of("half \ud800 of one"))
    before = file.read_text(encoding="utf-8")
    assert "half ? of one" in before
    with pytest.raises(ValueError):
        write_page(file, Page("t", "h", tiles=[Tile("1", "x", "no metric")]))
    assert file.read_text(encoding="utf-8") == before
    assert [found.name for found in file.parent.iterdir()] == ["page.html"]


def test_the_same_page_has_the_same_bytes():
    assert render(page_full_of("text")) == render(page_full_of("text"))

"""The page and the video, of evaluations made up here: what they show must be what the figures say."""

from dataclasses import replace

import av
import numpy as np
import pytest
from browser import browser, check_report, visit  # noqa: F401
from made_evaluation import made_comparison, made_evaluation
from wm_evaluation.report import render, write_page
from wm_tools.evaluate_bag.figures import Figure
from wm_tools.evaluate_bag.report import build_page
from wm_tools.evaluate_bag.report_charts import along_the_drive
from wm_tools.evaluate_bag.report_tables import Row, judge, spell, spell_difference
from wm_tools.evaluate_bag.worst_moments import video_frames, write_video

NAN = float("nan")
HOSTILE = "</script><b>x</b> \"'"


def test_a_page_of_two_bundles_opens_in_a_browser_and_its_video_plays(tmp_path, browser):  # noqa: F811
    comparison = made_comparison(
        [made_evaluation("new"), made_evaluation("old", seed=1, level=90)],
        ["action.steer.mae<0.5", "mode.braking_share<0.01"],
    )
    write_video(tmp_path / "worst.mp4", comparison.evaluations)
    write_page(tmp_path / "report.html", build_page(comparison, (tmp_path / "worst.mp4").read_bytes()))
    # Along the drive, PSNR, SSIM, errors of reward and return, aleatoric, reliability, latency of both bundles.
    check_report(browser, tmp_path / "report.html", charts=9)
    with visit(browser, tmp_path / "report.html") as seen:
        assert "1 of 2 thresholds fail" in seen.page.locator("h1").inner_text()
        assert " old" in seen.page.locator("h1").inner_text()
        rows = seen.page.locator("table", has_text="action error").first.locator("tbody tr")
        assert rows.first.locator("td").count() == 3  # new, old, and their difference
        video = seen.page.locator("video")
        video.evaluate("video => video.play()")
        seen.page.wait_for_function("document.querySelector('video').currentTime > 0.1")
        assert seen.faults == []


def test_a_page_of_one_bundle_without_rewards_says_what_was_not_measured():
    page = render(build_page(made_comparison([made_evaluation("only", reward=False)])))
    for text in (
        "None were given, so this is the default.",
        "only has no ensemble",
        "The recording holds no rewards",
        "does not contain the ends of episodes",
    ):
        assert text in page
    assert ">nan" not in page and "None," not in page
    without = render(build_page(made_comparison([made_evaluation("only", open_loop=False)])))
    assert "Not measured: no stretch was long enough." in without


def test_names_of_bundles_are_text_and_nothing_else(tmp_path, browser):  # noqa: F811
    comparison = made_comparison([made_evaluation(HOSTILE), made_evaluation("old", seed=1)])
    write_page(tmp_path / "report.html", build_page(comparison))
    with visit(browser, tmp_path / "report.html") as seen:
        assert HOSTILE in seen.page.locator("h1").inner_text()
        assert seen.charts() == 9 and seen.page.locator("b", has_text="x").count() == 0 and seen.faults == []
    write_video(tmp_path / "worst.mp4", comparison.evaluations)


def test_a_difference_is_called_better_only_where_its_interval_leaves_out_zero():
    higher, lower, neither = (Row("a", "a", ".1f", better) for better in ("higher", "lower", ""))
    up, unsure = Figure(1.0, 0.5, 2.0), Figure(1.0, -0.1, 2.0)
    assert [judge(up, row) for row in (higher, lower, neither)] == ["better", "worse", ""]
    assert judge(unsure, higher) == "" and judge(Figure(1.0), higher) == "" and judge(Figure(NAN), higher) == ""
    assert spell_difference(up, lower) == "+1.0 (+0.5, +2.0) worse"
    assert spell_difference(Figure(-0.01, -0.04, 0.01), lower) == "+0.0 (+0.0, +0.0)"  # zero has no sign of its own
    assert spell(Figure(NAN), ".1f") == spell(None, ".1f") == "–" and spell(Figure(0.25), ".1%") == "25.0%"


def test_lines_over_time_break_at_the_end_of_an_episode_and_where_the_planner_braked():
    evaluation = made_evaluation("only")
    times = evaluation.frames.times_s(0.08)
    # The hour between the two episodes is not driven: 80 frames are 79 periods.
    assert times[-1] == pytest.approx(79 * 0.08) and np.diff(times) == pytest.approx(np.full(79, 0.08))
    traces = {trace.name: trace for trace in along_the_drive(made_comparison([evaluation])).data}
    recorded, planned = np.array(traces["recorded"].y, float), np.array(traces["planned"].y, float)
    assert len(recorded) == 81 and np.flatnonzero(np.isnan(recorded)).tolist() == [40]
    assert np.flatnonzero(np.isnan(planned)).tolist() == [20, 21, 22, 40]


@pytest.mark.parametrize("cameras", [1, 3])
def test_the_video_shows_every_step_of_every_moment_and_what_was_imagined(tmp_path, cameras):
    evaluations = [made_evaluation("new", cameras=cameras), made_evaluation("old", 1, cameras=cameras, level=90)]
    write_video(tmp_path / "worst.mp4", evaluations)
    with av.open(str(tmp_path / "worst.mp4")) as video:
        stream = video.streams.video[0]
        assert float(stream.average_rate) == 12.5 and stream.codec_context.pix_fmt == "yuv420p"
        assert stream.width % 2 == stream.height % 2 == 0 and stream.width >= 640
        decoded = [frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]
    # Seven and five frames; at the moment itself and at the end of a clip it stands still for 0.8 s, ten frames.
    assert len(decoded) == 7 + 5 + 4 * 10
    made = list(video_frames(evaluations))
    assert decoded[0].shape == made[0].shape
    seen, last = made[0], made[6 + 10]
    area = 16 * 24 * 4 * 4 * cameras  # pixels of an enlarged picture
    for level, count in ((200, 1), (90, 1), (10, 1), (16, 1)):
        # Imagined by both bundles, last seen, and real: nothing else on the frame has these greys.
        assert (last == level).all(-1).sum() == pytest.approx(count * area, rel=0.02), level
    assert (seen == 10).all(-1).sum() == pytest.approx(4 * area, rel=0.02)  # nothing is imagined yet


def test_a_bundle_without_a_belief_at_a_moment_is_shown_as_having_none(tmp_path):
    first, other = made_evaluation("new"), made_evaluation("old", 1, level=90)
    without = replace(other, moments=other.moments[1:])
    frame = list(video_frames([first, without]))[16]
    assert (frame == 200).all(-1).any() and not (frame == 90).all(-1).any()
    assert "not measured from the same frame" in render(build_page(made_comparison([first, without])))
    with pytest.raises(ValueError, match="no moment worth watching"):
        write_video(tmp_path / "worst.mp4", [replace(first, moments=[])])
    assert "There are none." in render(build_page(made_comparison([replace(first, moments=[])])))

"""The page and the video, of evaluations made up here: what they show must be what the figures say."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from browser import browser, check_report, visit  # noqa: F401
from wm_bundle import BundleManifest, CameraSpec, ImageSpec, LatentSpec, VectorSpec
from wm_evaluation.report import render, write_page
from wm_evaluation.scorecard.measurements import Measurements
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.summary import summarise
from wm_planner.evaluation.evaluation import Comparison, Evaluation, Figure, Frames, Moment
from wm_planner.evaluation.figures import differences_of, figures_of
from wm_planner.evaluation.options import EvaluateOptions
from wm_planner.evaluation.report import build_page
from wm_planner.evaluation.report_charts import along_the_drive, drive_times
from wm_planner.evaluation.report_tables import Row, judge, spell, spell_difference
from wm_planner.evaluation.thresholds import Threshold
from wm_planner.evaluation.thresholds import judge as judge_thresholds
from wm_planner.evaluation.worst_moments import video_frames, write_video
from wm_planner.modes import Mode

NAN = float("nan")
SETTINGS = ScoreSettings(horizon=6, resamples=40)
ROWS = 40  # of each of two episodes
HOSTILE = "</script><b>x</b> \"'"


def made_frames(seed: int, reward: bool, braked: slice = slice(0, 0)) -> Frames:
    random = np.random.default_rng(seed)
    count = 2 * ROWS
    episode = np.repeat([0, 1], ROWS)
    recorded = np.clip(random.normal(0.0, 0.4, (count, 3)), [-1, 0, 0], 1)
    planned = np.clip(recorded + 0.1, [-1, 0, 0], 1)
    planned[braked] = NAN
    mode = np.full(count, int(Mode.DRIVING))
    mode[braked] = int(Mode.BRAKING)
    stamps = np.arange(count) * 80_000_000 + episode * 3_600_000_000_000  # an hour between the two
    numbers = {name: random.random(count) for name in (
        "predicted_reward", "value", "surprise", "prior_ssim", "posterior_ssim", "prior_error", "posterior_error",
        "aleatoric",
    )}  # fmt: skip
    return Frames(
        drive=np.zeros(count, int), episode=episode, row=np.tile(np.arange(ROWS), 2), segment=np.arange(count) // 8,
        stamp_ns=stamps, mode=mode, reason=tuple("surprise too large" if m == Mode.BRAKING else "" for m in mode),
        recorded=recorded, planned=planned, reward=random.random(count) if reward else np.full(count, NAN),
        expected=np.arange(count) > 0, prior_psnr_db=20 + numbers["prior_ssim"],
        posterior_psnr_db=25 + numbers["prior_ssim"], epistemic=np.full(count, NAN),
        latency_ms=random.gamma(4, 5, (count, 3)), **numbers,
    )  # fmt: skip


def made_measurements(seed: int, reward: bool) -> Measurements:
    random = np.random.default_rng(seed)
    shape, kinds = (16, SETTINGS.horizon), ("imagined", "posterior", "copy_last", "shuffled")
    real = random.normal(0, 1, shape) if reward else np.full(shape, NAN)
    samples = (16, 4, SETTINGS.horizon)
    return Measurements(
        segment=np.arange(16) // 2, squared_errors={kind: random.random(shape) * 0.1 for kind in kinds},
        similarities={kind: random.random((16, 3)) for kind in kinds}, rewards=random.normal(0, 1, shape),
        shuffled_rewards=random.normal(0, 1, shape), sampled_rewards=random.normal(0, 1, samples),
        continues=np.full(shape, 0.9), shuffled_continues=np.full(shape, 0.9),
        sampled_continues=np.full(samples, 0.9), real_rewards=real,
        real_continues=np.ones(shape) if reward else np.full(shape, NAN), last_reward=np.zeros(16), disagreement=None,
    )  # fmt: skip


def made_moment(frame: int, first: int, kind: str, level: int, cameras: int, steps: int = 6) -> Moment:
    """Real pictures are of brightness 10 + step, imagined ones of ``level``."""
    pictures = np.stack([np.full((3 * cameras, 16, 24), 10 + step, np.uint8) for step in range(steps + 1)])
    return Moment(kind, 12.5, frame, first, pictures, np.full((steps, 3 * cameras, 16, 24), level, np.uint8))


def made_evaluation(name: str, seed=0, reward=True, cameras=1, level=200, open_loop=True) -> Evaluation:
    manifest = BundleManifest(
        model_id=name, image=ImageSpec(16, 24, tuple(CameraSpec(f"camera_{i}", 16, 24) for i in range(cameras))),
        vector=(VectorSpec("speed", "m/s", 0.0, 1.0),), control_period_s=0.08, latent=LatentSpec("gaussian", 4, 2),
        horizon=6, discount=0.99, reward_name="step_result", surprise_threshold=0.9,
    )  # fmt: skip
    frames = made_frames(seed, reward, slice(20, 23))
    measurements = made_measurements(seed, reward) if open_loop else None
    card = summarise(measurements, SETTINGS, NAN) if open_loop else None
    moments = [made_moment(12, 9, "surprise", level, cameras), made_moment(70, 70, "prediction", level, cameras, 4)]
    return Evaluation(
        name=name, path="folder", manifest=manifest, settings=SETTINGS, frames=frames, measurements=measurements,
        windows=np.arange(16) * 5, card=card, figures=figures_of(frames, card, 0.9, SETTINGS), moments=moments,
        notes=() if open_loop else ("no stretch was long enough",),
    )  # fmt: skip


def made_comparison(evaluations, thresholds=()) -> Comparison:
    first = evaluations[0]
    pairs = [differences_of(first, other) for other in evaluations[1:]]
    parsed = [Threshold.parse(text) for text in thresholds]
    return Comparison(
        options=EvaluateOptions(bag=Path("bag"), bundle=Path("one"), output=Path("out"), steps=6),
        bag={"name": "bag", "frames": 2 * ROWS, "seconds": 6.4}, machine={"cpu": "some"}, evaluations=evaluations,
        differences=[figures for figures, _ in pairs], difference_cards=[card for _, card in pairs],
        verdicts=judge_thresholds(parsed, {name: figure.value for name, figure in first.figures.items()}),
        segments=10, frames_per_s=100.0, times_real_time=8.0,
    )  # fmt: skip


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
        assert "against old" in seen.page.locator("h1").inner_text()
        rows = seen.page.locator("table", has_text="action error").first.locator("tbody tr")
        assert rows.first.locator("td").count() == 3  # new, old, and their difference
        video = seen.page.locator("video")
        video.evaluate("video => video.play()")
        seen.page.wait_for_function("document.querySelector('video').currentTime > 0.1")
        assert seen.faults == []


def test_a_page_of_one_bundle_without_rewards_says_what_was_not_measured():
    page = render(build_page(made_comparison([made_evaluation("only", reward=False)])))
    for text in (
        "None were given, so nothing passed or failed.",
        "only has no ensemble",
        "The recording holds no rewards",
        "does not say where episodes end",
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
    times = drive_times(evaluation.frames, 0.08)
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

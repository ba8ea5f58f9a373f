"""Properties: a run's page has its issues first, and its curves with their ranges; check_run and train write it."""

import re
from html import unescape

import numpy as np
import pytest
from browser import browser, check_report  # noqa: F401
from tiny_training import tiny_config
from wm_evaluation.report import render, write_page
from wm_training import WorldModelTrainConfig, WorldModelTrainer
from wm_training.commands import check_run
from wm_training.monitoring import health
from wm_training.monitoring.report import build_page
from wm_training.monitoring.tables import Curve

CONFIG = WorldModelTrainConfig(kl_anneal_steps=100, warmup_steps=100, data_path="<data>")
STEPS = np.arange(20, 1020, 20)


def curves(pixel_mse: float) -> dict[str, Curve]:
    """A run whose pixel error stays where it is."""
    noise = 1.0 + 0.02 * np.sin(STEPS)
    values = {"metric/pixel_mse": pixel_mse, "metric/kl_nats": 5.0, "dynamics": 0.05, "reward": 0.5}
    return {
        "train/gradient_norm": Curve(STEPS, 9.0 * noise),
        **{f"train/{name}": Curve(STEPS, value * noise) for name, value in values.items()},
        "validation/reward": Curve(STEPS[4::5], np.full(10, 0.6)),
        "frames_per_s": Curve(STEPS[4::5], np.full(10, 812.0)),
    }


def page_of(curves: dict[str, Curve]):
    return build_page("runs/<one>", curves, CONFIG, health.examine(curves, CONFIG))


def text_of(html: str) -> str:
    html = re.sub(r"(?s)<(script|style).*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_the_issues_come_first_with_what_to_do():
    good, blurry = (text_of(render(page_of(curves(value)))) for value in (0.005, 0.4))
    assert "No issue after 1,000 updates" in good and "None of the four common issues" in good
    assert "1 warning after 1,000 updates" in blurry
    order = ["blurry reconstructions warning", "raise reconstruction_weight", "Expected ranges", "Configuration"]
    places = [blurry.rindex(part) for part in order]
    assert places == sorted(places)
    for said in ("0.6 reward, in range", "812 frames/s", "data_path <data>", "Training report · runs/<one>"):
        assert said in good, said


def test_a_page_of_a_young_run_calls_nothing_good():
    young = {name: curve.between(0, 60) for name, curve in curves(0.005).items()}
    shown = text_of(render(page_of(young)))
    assert shown.count("Too few updates to judge: 60 of about") == 2 and "No issue" not in shown


def test_expected_ranges_are_strips_behind_their_curves():
    page = page_of(curves(0.005))
    (grid,) = [block for block in page.sections[1].blocks if hasattr(block, "blocks")]
    ends = {chart.caption: [trace.y[0] for trace in chart.figure.data[:2]] for chart in grid.blocks}
    assert ends == {"pixel mse": [0.1, 0.01], "kl nats": [10.0, 1.0], "reward": [1.0, 0.1], "dynamics": [0.1, 0.01]}


def test_a_reader_finds_all_plots_whatever_the_values(browser, tmp_path):  # noqa: F811
    run = curves(0.4)
    run["train/dynamics"].values[3:5] = np.nan, np.inf
    write_page(tmp_path / "report.html", page_of(run))
    # Four expected ranges, the gradient norm, and the speed.
    check_report(browser, tmp_path / "report.html", charts=6)


def test_training_leaves_a_page_and_check_run_writes_the_same(tmp_path, capsys):
    WorldModelTrainer(tiny_config(tmp_path, num_epochs=1)).train()
    run, page = tmp_path / "out", tmp_path / "pages" / "run.html"
    assert check_run.main([str(run), "--report", str(page)]) == 0
    assert f"wrote {page}" in capsys.readouterr().err
    assert page.read_bytes() == (run / "report.html").read_bytes()


def test_a_page_of_another_kind_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        check_run.main([str(tmp_path), "--report", "page.pdf"])
    assert stop.value.code == 2
    assert "ends with .html" in capsys.readouterr().err

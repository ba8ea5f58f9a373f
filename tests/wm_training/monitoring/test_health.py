import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from make_episodes import make_episode
from wm_data.episodes import write_episode
from wm_training import WorldModelTrainConfig, WorldModelTrainer
from wm_training.commands import check_run
from wm_training.configuration import layers
from wm_training.monitoring import health
from wm_training.monitoring.health import examine
from wm_training.monitoring.tables import Curve, read_curves

# Training that went well, of models that drive: columns of their metrics.csv. Annealing took 300 updates, warm-up 100.
HEALTHY = [Path(__file__).with_name(f"healthy_carracing_{i}.csv") for i in (1, 2)]
CONFIG = WorldModelTrainConfig(kl_anneal_steps=100, warmup_steps=100)
STEPS = np.arange(20, 1020, 20)


def constant(value: float) -> Curve:
    # 2 % of noise, so that medians and comparisons have something to do.
    return Curve(STEPS, value * (1.0 + 0.02 * np.sin(STEPS)))


def falling(first: float, last: float) -> Curve:
    return Curve(STEPS, np.geomspace(first, last, len(STEPS)))


def good_run(**changes: Curve) -> dict[str, Curve]:
    curves = {
        "train/metric/pixel_mse": falling(0.05, 0.002),
        "train/metric/kl_nats": constant(5.0),
        "train/dynamics": falling(0.5, 0.05),
        "train/reward": falling(3.0, 0.5),
        "train/gradient_norm": constant(40.0),
    }
    return {**curves, **{name.replace("__", "/"): curve for name, curve in changes.items()}}


def severities(curves: dict[str, Curve], config: WorldModelTrainConfig = CONFIG) -> dict[str, str]:
    return {finding.issue: finding.severity for finding in examine(curves, config).findings}


def cut(curves: dict[str, Curve], step: int) -> dict[str, Curve]:
    return {name: curve.between(0, step) for name, curve in curves.items()}


@pytest.mark.parametrize("file", HEALTHY, ids=lambda file: file.stem)
def test_real_healthy_runs_get_no_warning_at_any_age(file):
    curves = read_curves(file)
    config = replace(CONFIG, kl_anneal_steps=300)
    for step in curves["train/dynamics"].steps:
        assert health.WARNING not in severities(cut(curves, step), config).values()


def test_a_good_run_has_no_finding_and_its_levels_are_placed_in_the_expected_ranges():
    report = examine(good_run(**{"validation__dynamics": constant(0.2)}), CONFIG)
    assert report.findings == [] and report.updates == 1000
    states = {name: level.state for name, level in report.levels.items()}  # no vector_loss: it has no vector inputs
    # Validation counts where there is one: dynamics is 0.2 there, above 0.01 to 0.1.
    assert states == {"recon_loss": "below", "kl_loss": "in range", "reward_loss": "in range", "dynamics_loss": "above"}
    told = examine(good_run(train__metric__vector_error_ahead=constant(0.8)), CONFIG).levels["vector_loss"]
    assert told.state == "above" and told.value == pytest.approx(0.8, rel=0.01)


def test_a_silent_posterior_is_a_collapse_if_the_pictures_are_bad_and_stay_so():
    silent = {"train__metric__kl_nats": constant(0.6)}
    flat = {"train__metric__pixel_mse": constant(0.03)}
    assert severities(good_run(**silent, **flat)) == {"KL collapse": "warning"}
    # An easy world: the prior knows everything before the posterior does, and the pictures are good.
    sharp = {"train__metric__pixel_mse": constant(0.001)}
    assert severities(good_run(**silent, **sharp)) == {"KL collapse": "note"}
    assert severities(good_run(**silent)) == {}, "the pictures still improve"
    # Before annealing is over nobody presses the posterior.
    assert severities(good_run(**silent, **flat), replace(CONFIG, kl_anneal_steps=900)) == {}


def test_pictures_are_measured_against_their_own_variance_where_it_is_known():
    # Dark pictures: an error of 0.006 is below the expected range, and yet 75 % of a variance of 0.008.
    flat = {"train__metric__pixel_mse": constant(0.006), "train__metric__pixel_variance": constant(0.008)}
    assert severities(good_run(**flat)) == {"blurry reconstructions": "warning"}
    assert severities(good_run(**flat, **{"train__metric__kl_nats": constant(0.6)})) == {"KL collapse": "warning"}
    flat["train__metric__pixel_variance"] = constant(0.05)
    assert severities(good_run(**flat)) == {}


def test_a_pixel_error_that_levels_off_above_the_range_is_blurry():
    assert severities(good_run(train__metric__pixel_mse=constant(0.15))) == {"blurry reconstructions": "warning"}
    assert severities(good_run(train__metric__pixel_mse=falling(0.5, 0.11))) == {}
    # Noisy training curves may look level while validation still improves.
    improving = {"validation__metric__pixel_mse": falling(0.5, 0.15)}
    assert severities(good_run(train__metric__pixel_mse=constant(0.15), **improving)) == {}


def test_dynamics_that_do_not_get_better_are_found():
    # 80 nats: more than five times the 10 that are expected of one camera of 64 pixels …
    high = good_run(train__metric__kl_nats=constant(80.0))
    assert severities(high) == {"poor dynamics": "warning"}
    # … but not of six cameras of 128 pixels, 24 times the picture.
    assert severities(high, replace(CONFIG, num_cameras=6, image_size=128)) == {}
    assert severities(good_run(train__metric__kl_nats=falling(200.0, 60.0))) == {}
    # Free bits of 50 nats: a KL of 5 is never pressed.
    assert severities(good_run(), replace(CONFIG, kl_free_bits=50.0)) == {"poor dynamics": "warning"}
    assert severities(good_run(train__dynamics=constant(0.7))) == {"poor dynamics": "note"}
    assert severities(good_run(train__dynamics=falling(0.1, 2.0))) == {"poor dynamics": "warning"}


def test_overfitting_is_told_by_validation_far_above_training():
    trained = {"train__metric__kl_nats": constant(5.0)}
    # 16 is more than three times 5; 8.5 more than 1.5 times and rising; 8.5 without rising is nothing.
    assert severities(good_run(**trained, validation__metric__kl_nats=constant(16.0))) == {"poor dynamics": "warning"}
    assert severities(good_run(**trained, validation__metric__kl_nats=falling(6.0, 8.5))) == {"poor dynamics": "note"}
    assert severities(good_run(**trained, validation__metric__kl_nats=falling(12.0, 8.5))) == {}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_found_at_once(bad):
    curves = good_run(train__reward=Curve(np.array([20, 40]), np.array([1.0, bad])))
    (finding,) = examine(cut(curves, 40), CONFIG).findings
    assert (finding.issue, finding.severity, finding.first_update) == ("instability", "warning", 40)


def test_values_that_no_sound_model_has_are_found_at_once():
    for name, value in (("metric/pixel_mse", 1.5), ("metric/kl_nats", 5000.0)):
        curves = {f"train/{name}": Curve(np.array([20, 40]), np.array([0.5, value]))}
        (finding,) = examine(curves, CONFIG).findings
        assert (finding.issue, finding.severity, finding.first_update) == ("instability", "warning", 40)
        assert name in finding.evidence


def test_latents_that_wake_up_and_then_stay_as_they_are_are_no_warning():
    awake = STEPS > 400
    kl, dynamics = constant(5.0), constant(1.5)
    kl.values[~awake], dynamics.values[~awake] = 0.9, 0.01
    woken = good_run(train__metric__kl_nats=kl, train__dynamics=dynamics)
    assert severities(woken) == {"poor dynamics": "note"}
    dynamics.values[awake] = np.geomspace(1.5, 6.0, awake.sum())
    assert severities(woken) == {"poor dynamics": "warning"}


def test_jumps_and_relapses_of_the_pixel_error_are_found():
    jumping = falling(0.05, 0.002)
    jumping.values[30] *= 10.0
    assert severities(good_run(train__metric__pixel_mse=jumping)) == {"instability": "note"}
    jumping.values[[35, 40]] *= 10.0
    assert severities(good_run(train__metric__pixel_mse=jumping)) == {"instability": "warning"}
    fallen_then_risen = np.concatenate([np.geomspace(0.05, 0.002, 25), np.geomspace(0.002, 0.01, 25)])
    found = examine(good_run(train__metric__pixel_mse=Curve(STEPS, fallen_then_risen)), CONFIG).findings
    assert [finding.issue for finding in found] == ["instability"] and "come back up" in found[0].evidence


def test_gradients_that_grow_or_are_always_clipped_are_found():
    assert severities(good_run(train__gradient_norm=constant(150.0))) == {"instability": "note"}
    assert severities(good_run(train__gradient_norm=falling(20.0, 400.0))) == {"instability": "warning"}
    assert severities(good_run(train__gradient_norm=falling(2000.0, 40.0))) == {}


def train(folder: Path, epochs: int, **changes) -> dict[str, str]:
    """Really train a tiny model; returns the findings that it left in health.json."""
    for i in range(4):
        write_episode(folder / "data" / f"{i}.npz", make_episode(432, seed=i, size=32))
    config = WorldModelTrainConfig(
        image_size=32,
        state_dim=16,
        latent_dim=4,
        hidden_dim=16,
        conv_depth=4,
        return_bins=9,
        batch_size=4,
        sequence_length=3,
        num_epochs=epochs,
        warmup_steps=2,
        kl_anneal_steps=4,
        learning_rate=3e-3,
        threads=1,
        validation_share=0.25,
        validation_frames=100,
        log_every=5,
        data_path=str(folder / "data"),
        output_dir=str(folder / "out"),
    )
    WorldModelTrainer(replace(config, **changes)).train()
    (folder / "out" / "config.yaml").write_text(layers.dump(config))
    report = json.loads((folder / "out" / "health.json").read_text())
    # 3 training episodes of 432 rows in batches of 4 x 3 rows: 108 updates an epoch.
    assert report["updates"] == 108 * epochs
    return {finding["issue"]: finding["severity"] for finding in report["findings"]}


def test_a_model_trained_as_it_should_be_gets_no_warning(tmp_path, capsys):
    assert health.WARNING not in train(tmp_path, 3).values()
    assert check_run.main([str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "health after 324 updates" in said and "recon_loss" in said and "warning" not in said


def test_a_model_pressed_into_silence_is_found_to_have_collapsed(tmp_path):
    assert train(tmp_path, 3, kl_weight=1e4, kl_free_bits=0.1)["KL collapse"] == "warning"


def test_an_absurd_learning_rate_is_found_to_be_instable(tmp_path):
    assert train(tmp_path, 1, learning_rate=1.0)["instability"] == "warning"


def test_a_folder_that_is_no_run_gives_one_line_and_an_exit_code(tmp_path, capsys):
    assert check_run.main([str(tmp_path)]) == 1
    (tmp_path / "config.yaml").write_text("{}")
    assert check_run.main([str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "config.yaml" in lines[0] and "metrics.csv" in lines[1]


@pytest.mark.parametrize("updates, verdict", [(4, health.TOO_FEW), (260, health.TOO_FEW), (620, health.HEALTHY)])
def test_a_run_is_called_healthy_only_once_there_is_something_to_judge(updates, verdict):
    # Judged from update 100 on, by the last third: 8 points that span 100 updates. At 20 updates a point that takes
    # 3 * 160 updates, from 100 to 580.
    config = replace(CONFIG, log_every=20)
    report = examine(cut(good_run(), updates), config)
    assert (report.verdict, report.findings, report.needed) == (verdict, [], 580)
    if verdict == health.TOO_FEW:
        shown = report.updates
        assert f"health: too few updates to judge: {shown} of about 580" in report.text()
        assert "no issue" not in report.text()
    else:
        assert report.text().endswith("health: no issue found")


def test_what_is_wrong_of_a_young_run_is_told_all_the_same():
    bad = Curve(STEPS[:2], np.array([1.0, np.nan]))
    report = examine({"train/metric/pixel_mse": bad}, CONFIG)
    assert report.verdict == health.WARNED and "instability" in report.text() and "no issue" not in report.text()

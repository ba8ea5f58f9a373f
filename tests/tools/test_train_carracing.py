"""The recipe believes what lies there and no note about it: a step is done, is to do, or is refused with a reason."""

import shutil
from dataclasses import replace

import pytest
from make_episodes import META, make_episode
from tiny_bundle import make_tiny_bundle
from train_carracing.errors import RecipeError
from train_carracing.evidence import (
    Recording,
    check_validation,
    episode_file,
    is_driven,
    is_exported,
    is_trained,
    link_episodes,
    missing_episodes,
)
from train_carracing.running import only_one
from train_carracing.settings import Settings
from train_carracing.steps import round_1_plan, round_2_plan, steps_of
from wm_bundle import Estimate, load_bundle
from wm_bundle.files import sha256_of
from wm_bundle.scores import BenchmarkScores, ControllerScore, add_scores
from wm_data.episodes import write_episode
from wm_training.commands import train
from wm_training.configuration.layers import build
from wm_training.configuration.presets import PRESETS

PLANNER = {"bundle": "tiny-test", "parameters": {"trust": 2.0, "steer_std": 0.2}}


def record(folder, index: int, rows: int = 24, **meta) -> None:
    write_episode(episode_file(folder, index), replace(make_episode(rows, seed=index), meta={**META, **meta}))


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A round of four episodes, and one more of the planner."""
    return Settings(
        data=str(tmp_path / "data"),
        output=str(tmp_path / "runs"),
        bundle=str(tmp_path / "bundle"),
        preset="debug",
        noisy_episodes=3,
        random_episodes=1,
        planner_settings=("trust=2 steer_std=0.2",),
        planner_episodes=1,
        precision="float32",
        epochs=1,
        seeds="7:8,3",
    )


@pytest.fixture
def round_1(settings):
    """The folder of round 1, recorded as planned."""
    for index, planned in enumerate(round_1_plan(settings)):
        record(settings.episodes(1), index, driver=planned.driver, seed=planned.track)
    return settings.episodes(1)


def test_training_and_benchmark_share_no_track(settings):
    assert settings.tracks == (7, 8, 3) and replace(settings, seeds="5000:5099").tracks == tuple(range(5000, 5100))
    for seeds in ("9990:10005", "11000"):
        with pytest.raises(ValueError, match="expected tracks below 10000"):
            replace(settings, seeds=seeds)
    make_tiny_bundle(settings.bundle_of(1))
    tracks = [recording.track for recording in round_2_plan(settings)]
    assert tracks == [10000, 10001, 10002, 10003, 11000]


def test_an_episode_that_is_missing_is_to_be_recorded_and_one_of_another_plan_is_refused(settings, round_1):
    plan = round_1_plan(settings)
    assert missing_episodes(round_1, plan, 500) == []
    episode_file(round_1, 1).unlink()
    assert missing_episodes(round_1, plan, 500) == [1]
    with pytest.raises(RecipeError, match="expected at most 10 rows, found 24"):
        missing_episodes(round_1, plan, 10)
    record(round_1, 1, driver="random", seed=10001)
    with pytest.raises(RecipeError, match="000001.npz: expected noisy-autopilot on track 10001, found random on"):
        missing_episodes(round_1, plan, 500)
    with pytest.raises(RecipeError, match="expected 1 episode, found others too, episode_000001.npz"):
        missing_episodes(round_1, plan[:1], 500)


@pytest.mark.parametrize("parameters, words", [("trust=3", "and trust=2.0 on"), ("elites=4", "and elites=None on")])
def test_an_episode_of_the_planner_must_be_with_the_planned_bundle_and_parameters(tmp_path, parameters, words):
    record(tmp_path, 0, driver="noisy-planner", seed=5, planner=PLANNER)
    wanted = Recording("noisy-planner", 5, "tiny-test", "steer_std=0.20 trust=2")
    assert missing_episodes(tmp_path, [wanted], 500) == []
    with pytest.raises(RecipeError, match=f"expected noisy-planner with tiny-test and {parameters} on.*{words}"):
        missing_episodes(tmp_path, [replace(wanted, parameters=parameters)], 500)
    with pytest.raises(RecipeError, match="with other .*found noisy-planner with tiny-test"):
        missing_episodes(tmp_path, [replace(wanted, bundle="other")], 500)


def test_round_2_has_the_files_of_round_1_without_a_copy_and_refuses_others_of_their_names(settings, round_1):
    link_episodes(round_1, settings.episodes(2))
    link_episodes(round_1, settings.episodes(2))
    first = episode_file(settings.episodes(2), 0)
    assert first.samefile(episode_file(round_1, 0))
    first.unlink()
    shutil.copy(episode_file(round_1, 0), first)  # as on a file system without hard links
    link_episodes(round_1, settings.episodes(2))
    first.unlink()
    record(settings.episodes(2), 0, rows=30)
    with pytest.raises(RecipeError, match="expected the episode of .*round_1, found another one"):
        link_episodes(round_1, settings.episodes(2))


def test_an_episode_held_out_in_round_1_must_not_train_in_round_2(settings, round_1):
    link_episodes(round_1, settings.episodes(2))
    check_validation(settings)
    record(settings.episodes(2), 4)  # of five episodes the last is held out, of four it was the fourth
    with pytest.raises(RecipeError, match="episode_000003.npz validates in round 1 and would train in round 2"):
        check_validation(settings)


def trained(settings: Settings) -> None:
    flags = [
        "--preset",
        "debug",
        "--num-epochs",
        "1",
        "--data-path",
        str(settings.episodes(1)),
        "--output-dir",
        str(settings.run(1)),
    ]
    assert train.main(flags) == 0


def test_a_training_is_done_when_its_last_update_is_and_refused_with_other_settings_or_episodes(settings, round_1):
    assert not is_trained(settings, 1)
    trained(settings)
    assert is_trained(settings, 1)
    with pytest.raises(RecipeError, match="a training with these settings, found num_epochs 1 → 2"):
        is_trained(replace(settings, epochs=2), 1)
    best = settings.run(1) / "best_model.pt"
    best.rename(best.with_suffix(".away"))
    assert not is_trained(settings, 1)
    best.with_suffix(".away").rename(best)
    record(round_1, 2, rows=25, driver="noisy-autopilot", seed=10002)
    with pytest.raises(RecipeError, match="expected a training on the episodes in .*round_1, found one on others"):
        is_trained(settings, 1)


def test_a_bundle_is_done_when_it_is_whole_and_of_the_best_checkpoint(settings):
    best = settings.run(1) / "best_model.pt"
    best.parent.mkdir(parents=True)
    best.write_bytes(b"weights")
    assert not is_exported(settings, 1)
    name = f"carracing-{sha256_of(best)[:8]}"
    folder = make_tiny_bundle(settings.bundle_of(1), model_id=name, provenance={"precision": "float32"})
    assert is_exported(settings, 1) and not is_exported(replace(settings, precision="int8"), 1)
    best.write_bytes(b"better weights")
    assert not is_exported(settings, 1)
    best.write_bytes(b"weights")
    (folder / "actor.onnx").write_bytes(b"half a fi")
    assert not is_exported(settings, 1)


def test_a_benchmark_is_done_when_the_bundle_carries_its_scores_on_these_tracks(settings):
    bundle = load_bundle(make_tiny_bundle(settings.bundle_of(2)))
    assert not is_driven(settings, "lock-step", ("planner",))
    score = ControllerScore("planner", "tiny-test (01)", 3, 0, Estimate(900.0, 890.0, 910.0))
    driven = BenchmarkScores("lock-step", "2030-01-01", "CarRacing-v3", (7, 8, 3), None, {}, {}, (score,), ())
    add_scores(bundle, driven)
    assert is_driven(settings, "lock-step", ("planner",))
    assert not is_driven(settings, "real-time", ("planner",))
    assert not is_driven(settings, "lock-step", ("planner", "expert"))
    assert not is_driven(replace(settings, max_steps=20), "lock-step", ("planner",))
    assert not is_driven(replace(settings, seeds="7:8"), "lock-step", ("planner",))


def test_the_defaults_are_the_shipped_recipe_and_its_held_out_episodes_stay_held_out():
    settings = Settings()
    share = build(PRESETS[settings.preset], {}).validation_share
    assert settings.round_1_episodes % round(1 / share) == 0
    assert settings.tracks == tuple(range(5000, 5100)) and len(steps_of(settings)) == 9


def test_only_one_recipe_works_in_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("train_carracing.running.END_TIMEOUT_S", 0.3)
    with only_one(tmp_path):
        with pytest.raises(RecipeError, match="another run of the recipe uses"), only_one(tmp_path):
            pass
    with only_one(tmp_path):
        pass

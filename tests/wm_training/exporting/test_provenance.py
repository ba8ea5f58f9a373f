"""What a run and a bundle tell of how they were made: the truth about their data, and nothing of anybody's folders."""

import json
from dataclasses import replace

import pytest
from make_episodes import META, make_episode, make_folder
from tiny_training import flags, tiny_config
from wm_bundle import load_bundle
from wm_bundle.doubts import doubts
from wm_data.episodes import write_episode
from wm_training.commands import train
from wm_training.commands.export import main as export
from wm_training.data.summary import data_summary, spell_seeds
from wm_training.exporting.provenance import training_summary
from wm_training.monitoring.run_record import RUN_FILE


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run in ``out``, on the episodes in ``data``; both belong to this module's tests, which mend them."""
    folder = tmp_path_factory.mktemp("private folder")
    make_folder(folder / "data", count=4, rows=40)
    config = tiny_config(folder, image_size=64)
    assert train.main(flags(config)) == 0
    return config


def test_a_summary_of_data_tells_who_drove_where_and_changes_with_every_file(tmp_path):
    driven = [("noisy-autopilot", 5), ("noisy-autopilot", 6), ("noisy-autopilot", 8), ("random", 9)]
    for i, (driver, seed) in enumerate(driven):
        meta = {**META, "driver": driver, "seed": seed}
        write_episode(tmp_path / f"episode_{i}.npz", replace(make_episode(10 + i, seed=i), meta=meta))
    summary = data_summary(tmp_path)
    assert (summary["episodes"], summary["rows"]) == (4, 10 + 11 + 12 + 13)
    assert summary["recordings"] == [
        {"driver": "noisy-autopilot", "episodes": 3, "seeds": "5:6,8"},
        {"driver": "random", "episodes": 1, "seeds": "9"},
    ]
    assert data_summary(tmp_path) == summary
    (tmp_path / "episode_0.npz").rename(tmp_path / "episode_00.npz")
    assert data_summary(tmp_path)["sha256"] != summary["sha256"], "the order of the files is the order of training"


def test_a_planner_that_drove_is_told_with_its_parameters_but_not_where_its_policy_lies(tmp_path):
    planner = {"bundle": "b-01", "parameters": {"trust": 2.0, "proposal_policy": "/home/ada/policies/clone.onnx"}}
    meta = {**META, "driver": "planner", "planner": planner, "noise": {"every_s": 2.0, "strength": 0.4}}
    for i in range(2):
        write_episode(tmp_path / f"{i}.npz", replace(make_episode(10, seed=i), meta=meta))
    (told,) = data_summary(tmp_path)["recordings"]
    assert told["planner"] == {"bundle": "b-01", "parameters": {"trust": 2.0, "proposal_policy": "clone.onnx"}}
    assert told["noise"] == {"every_s": 2.0, "strength": 0.4} and told["seeds"] == ""


def test_seeds_are_spelled_as_the_benchmark_reads_them():
    assert spell_seeds([7, 3, 4, 5, 9, 4]) == "3:5,7,9" and spell_seeds([]) == ""


@pytest.mark.parametrize(
    "meta",
    [
        {"seed": "town01"},
        {"seed": [1]},
        {"seed": 2.5},
        {"planner": {"parameters": [1]}},
        {"planner": "mine"},
        {"driver": ["a", {}], "noise": None},
    ],
)
def test_metas_of_other_tools_are_summed_up_too(tmp_path, meta):
    for i, told in enumerate(({"seed": 3}, meta)):
        episode = make_episode(10, seed=i)
        write_episode(tmp_path / f"{i}.npz", replace(episode, meta={**episode.meta, "seed": 3, **told}))
    summary = data_summary(tmp_path)
    assert summary["episodes"] == 2 and {entry["seeds"] for entry in summary["recordings"]} <= {"3", ""}


def test_a_bundle_tells_of_its_training_its_data_and_its_imagination(run, tmp_path, capsys):
    folder = tmp_path / "bundle"
    assert export(["--checkpoint", f"{run.output_dir}/best_model.pt", "--output", str(folder)]) == 0
    manifest = load_bundle(folder).manifest
    made_of = manifest.provenance
    assert made_of["data"] == data_summary(run.data_path)
    training = made_of["training"]
    assert training["frames"] == training["updates"] * run.batch_size * run.sequence_length
    assert training["devices"] == ["cpu, 1 thread"] and training["wall_time_s"] > 0.0
    assert training["precision"] == "float32" and training["health"]["verdict"] == "too few updates to judge"
    words = f"trained for {training['updates']} updates, too few updates to judge"
    assert f"export: warning: the model was {words}" in capsys.readouterr().err and words in doubts(made_of)[0]
    assert training["losses"]["validation"]["total"] > 0.0 and "reconstruction" in training["losses"]["training"]
    card = manifest.open_loop
    assert (card.steps, card.drives) == ((1, 5, 15), 1) and card.windows >= 2
    assert set(card.psnr_db) == {"imagined", "copy_last"} and set(card.reward_error) == {"imagined", "mean_reward"}
    # One validation episode: its windows say nothing of others.
    assert card.psnr_db["copy_last"][0].low is None
    text = (folder / "bundle.json").read_text()
    assert "private folder" not in text and "/" not in made_of["config"]["data_path"]


def test_wall_time_adds_up_over_the_times_that_a_run_was_continued(tmp_path):
    rows = [
        "epoch,step,seconds,train/kl,validation/total",
        "1,10,5.0,3.0,9.0",
        "2,20,11.0,2.0,8.0",
        "3,30,4.0,1.0,7.0",
        "4,40,9.5,0.5,6.0",
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(rows) + "\n")
    payload = {"config": {"batch_size": 4, "sequence_length": 8, "precision": "float32"}, "step": 30}
    summary = training_summary(tmp_path, payload)
    # 11.0 s until the kill after epoch 2, then 9.5 s more; the checkpoint is of epoch 3.
    assert summary["wall_time_s"] == 20.5 and summary["frames"] == 30 * 4 * 8
    assert summary["losses"] == {"training": {"kl": 1.0}, "validation": {"total": 7.0}}
    # Without a health.json too: annealing alone takes 10000 updates, and 3 times 160 (8 points, 20 apart) are judged.
    assert summary["health"] == {
        "verdict": "too few updates to judge",
        "findings": [],
        "expected_ranges": {},
        "needed_updates": 10480,
    }
    assert "devices" not in summary and "health" not in training_summary(tmp_path, payload | {"step": 10480})


@pytest.fixture
def another_episode(run):
    """One more episode in the run's data, for the time of a test."""
    file = write_episode(f"{run.data_path}/episode_000004.npz", make_episode(40, seed=4))
    yield file
    file.unlink()


def test_a_run_whose_episodes_changed_is_neither_continued_nor_exported(run, another_episode, tmp_path, capsys):
    assert train.main(flags(run)) == 1
    said = capsys.readouterr().err
    assert "expected 4 episodes, sha256" in said and "found 5 episodes" in said and "--resume none" in said
    assert export(["--checkpoint", f"{run.output_dir}/best_model.pt", "--output", str(tmp_path / "b")]) == 1
    assert "have changed since it began" in capsys.readouterr().err and not (tmp_path / "b").exists()


def test_a_run_begun_anew_notes_the_episodes_of_now(run, another_episode, tmp_path):
    elsewhere = replace(run, output_dir=str(tmp_path / "out"), num_epochs=1)
    assert train.main(flags(elsewhere)) == 0
    record = json.loads((tmp_path / "out" / RUN_FILE).read_text())
    assert record["data"] == data_summary(run.data_path) and record["data"]["episodes"] == 5


def test_a_damaged_note_is_named(run, capsys):
    file = f"{run.output_dir}/{RUN_FILE}"
    text = open(file).read()
    try:
        open(file, "w").write("{")
        assert train.main(flags(run)) == 1
        assert "run.json cannot be used" in capsys.readouterr().err
    finally:
        open(file, "w").write(text)

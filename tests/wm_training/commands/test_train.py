import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import tyro
from make_episodes import make_folder
from tiny_training import logged_updates, start, tiny_config, train_command, wait_until
from wm_evaluation.command_line import parse, run
from wm_training.collecting.collect_options import CollectOptions
from wm_training.commands.train import main, read_options
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.configuration.layers import build, load
from wm_training.configuration.presets import PRESETS
from wm_training.errors import ConfigurationError
from wm_training.training import trainer


def debug(folder: Path, *flags: str) -> list[str]:
    if not (folder / "data").exists():
        make_folder(folder / "data", count=3, rows=40)
    return ["--preset", "debug", "--data-path", str(folder / "data"), "--output-dir", str(folder / "out"), *flags]


def test_the_seeds_command_line_is_understood():
    flags = (
        "--state-dim 256 --action-dim 3 --hidden-dim 512 --latent-dim 32 --batch-size 64 --sequence-length 50 "
        "--learning-rate 3e-4 --num-epochs 100 --kl-weight 1.0 --reconstruction-weight 1.0 --data-path D --output-dir O"
    )
    options, config = read_options(flags.split())
    assert config == WorldModelTrainConfig(batch_size=64, data_path="D", output_dir="O")
    assert (options.preset, options.config, options.resume, options.dry_run) == (None, None, "auto", False)


def test_flags_overrule_the_file_which_overrules_the_preset(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("preset: nuscenes\nbatch_size: 8\nlearning_rate: 1e-2\ncompile: true\n")
    layers = ["--preset", "carla", "--config", str(file), "--batch-size", "4", "--no-compile"]
    assert read_options(layers)[1] == build(PRESETS["carla"], {"batch_size": 4, "learning_rate": 0.01})
    assert read_options(layers[2:])[1] == build(PRESETS["nuscenes"], {"batch_size": 4, "learning_rate": 0.01})


@pytest.mark.parametrize("flag", ["--state-dim", "--deterministic-dim"])
def test_a_flag_with_either_name_of_a_size_overrules_the_preset(flag):
    config = read_options(["--preset", "nuscenes", flag, "256"])[1]
    assert (config.state_dim, config.deterministic_dim, config.latent_dim) == (256, 256, 64)


@pytest.mark.parametrize("preset", [[], ["--preset", "nuscenes"]])
def test_two_flags_for_one_size_conflict_also_where_one_repeats_the_default(preset):
    default = 512 if preset else 256
    with pytest.raises(ConfigurationError, match=f"state_dim is {default} and deterministic_dim is 128"):
        read_options([*preset, "--state-dim", str(default), "--deterministic-dim", "128"])


def test_flags_may_mend_what_the_file_alone_gets_wrong(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("gradient_accumulation: 3\n")
    assert main(["--config", str(file)]) == 2  # 32 sequences are no multiple of 3
    assert read_options(["--config", str(file), "--batch-size", "33"])[1].gradient_accumulation == 3


def test_help_shows_every_field_with_the_default_in_force(tmp_path, capsys):
    file = tmp_path / "my.yaml"
    file.write_text("warmup_steps: 77\n")
    with pytest.raises(SystemExit) as stop:
        main(["--preset", "nuscenes", "--config", str(file), "--help"])
    assert stop.value.code == 0
    shown = " ".join(re.sub(r"[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    for field in fields(WorldModelTrainConfig):
        assert f"--{field.name.replace('_', '-')}" in shown
    assert re.search(r"--deterministic-dim INT [^(]*\(GRU\) state \[units\]; [^(]*\(default: 512\)", shown)
    assert re.search(r"--warmup-steps INT [^(]*\[updates\][^(]*\(default: 77\)", shown)
    assert re.search(r"--hidden-dim INT [^(]*\(default: 1024\)", shown)
    assert "(default: nuscenes)" in shown


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--batch-sise", "1"], "--batch-size"),
        (["--batch-size", "many"], "--batch-size"),
        (["--preset", "carlo"], "carla"),
        (["--batch-size", "0"], "train: batch_size is 0, expected above 0\n"),
        (["--config", "none.yaml"], "train: cannot read configuration none.yaml: No such file or directory\n"),
        (["--state-dim", "1", "--deterministic-dim", "2"], "train: state_dim is 1 and deterministic_dim is 2"),
    ],
)
def test_bad_arguments_end_with_a_message_and_code_2(arguments, words, capsys):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_values_that_the_options_of_another_command_refuse_end_with_the_reason_and_code_2(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(CollectOptions, "collect", ["--episodes", "0"])
    assert stop.value.code == 2
    assert "episodes is 0, expected above 0" in capsys.readouterr().err


def test_data_that_is_missing_empty_damaged_or_a_file_ends_with_one_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    damaged = make_folder(tmp_path / "damaged", count=2, rows=60) / "episode_000001.npz"
    os.truncate(damaged, damaged.stat().st_size // 2)
    cases = [("missing", "no folder"), ("empty", "holds no"), ("file", "is a file"), ("damaged", "000001.npz is trunc")]
    for name, words in cases:
        assert main(["--data-path", str(tmp_path / name), "--output-dir", str(tmp_path / "out")]) == 1
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_dry_run_prints_a_file_for_config_model_and_data_and_writes_nothing(tmp_path, capsys):
    assert main(debug(tmp_path, "--dry-run", "--state-dim", "16")) == 0
    out, err = capsys.readouterr()
    (tmp_path / "again.yaml").write_text(out)
    wanted = read_options(debug(tmp_path, "--state-dim", "16"))[1]
    assert build(load(tmp_path / "again.yaml")) == wanted
    # 2 episodes of 40 rows train, 80 rows are 2.5 batches of 4 sequences of 8 rows, one epoch is 3 updates
    assert "2 episodes, 80 rows (0 episodes too short), 1 for validation; 3 updates an epoch, 6 in all" in err
    assert re.search("on cpu in (float32|bfloat16)", err) and "cameras: 1, 64 × 64 px; vector inputs: 1;" in err
    model = trainer.WorldModelTrainer(wanted).world_model
    for name, part in model.named_children():
        count = sum(weight.numel() for weight in part.parameters())
        assert re.search(rf"train: {name} +{count:,} parameters", err)
    assert not (tmp_path / "out").exists()


def test_the_debug_preset_trains_and_the_same_command_then_has_nothing_left_to_do(tmp_path, capsys):
    assert main(debug(tmp_path)) == 0
    assert f"train: done, best model in {tmp_path / 'out' / 'best_model.pt'}" in capsys.readouterr().err
    assert main(debug(tmp_path)) == 0
    assert "from update 6;" in capsys.readouterr().err


def test_a_run_saves_what_it_was_trained_with(tmp_path):
    assert main(debug(tmp_path, "--num-epochs", "1", "--latent-dim", "4")) == 0
    saved = build(load(tmp_path / "out" / "config.yaml"))
    assert saved == read_options(debug(tmp_path, "--num-epochs", "1", "--latent-dim", "4"))[1]
    assert read_options(["--config", str(tmp_path / "out" / "config.yaml")])[1] == saved


def test_resuming_names_what_differs_and_refuses_another_model(tmp_path, capsys):
    assert main(debug(tmp_path, "--num-epochs", "1")) == 0
    last = tmp_path / "out" / "last.pt"
    before = last.read_bytes()
    capsys.readouterr()

    assert main(debug(tmp_path, "--hidden-dim", "16", "--stochastic-dim", "4", "--seed", "3")) == 1
    error = capsys.readouterr().err
    assert f"train: checkpoint {last} is of another model: hidden_dim 32 → 16, latent_dim 8 → 4; " in error
    assert error.count("\n") == 1 and last.read_bytes() == before

    assert main(debug(tmp_path, "--seed", "3")) == 0
    error = capsys.readouterr().err
    assert f"train: settings that differ from checkpoint {last}: num_epochs 1 → 2, seed 0 → 3\n" in error
    assert "from update 3;" in error

    assert main(debug(tmp_path, "--hidden-dim", "16", "--resume", "none", "--num-epochs", "1")) == 0
    assert "from update 0;" in capsys.readouterr().err
    assert main(debug(tmp_path, "--resume", str(tmp_path / "no.pt"))) == 1
    assert capsys.readouterr().err == f"train: no checkpoint at {tmp_path / 'no.pt'}\n"


def test_ctrl_c_while_starting_ends_with_one_line_and_code_130(tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        signal.raise_signal(signal.SIGINT)  # of this thread: at once

    monkeypatch.setattr(trainer, "WorldModelTrainer", interrupted)
    assert main(debug(tmp_path)) == 130
    assert capsys.readouterr().err == "train: interrupted\n"
    monkeypatch.setattr(tyro, "cli", interrupted)
    with pytest.raises(SystemExit) as stop:
        main(debug(tmp_path))
    assert stop.value.code == 130
    assert capsys.readouterr().err == "train: interrupted\n"


def test_ctrl_c_while_training_saves_and_ends_with_code_130(tmp_path):
    config, log = replace(tiny_config(tmp_path), num_epochs=100000), tmp_path / "log"
    process = start(train_command(config), log)
    wait_until(lambda: logged_updates(config) > 2, process, log)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, log.read_text()
    assert (tmp_path / "out" / "last.pt").exists()
    assert re.search(r"stopped at update \d+; the same command continues from .*last.pt\n$", log.read_text())


def test_processes_beside_the_first_are_silent_about_arguments(monkeypatch, capsys):
    for rank, lines in (("0", 1), ("1", 0)):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert main(["--batch-size", "0"]) == 2
        assert capsys.readouterr().err.count("\n") == lines


@pytest.mark.parametrize("module", ["collect", "configuration_tables", "train"])
def test_a_reader_that_leaves_early_is_no_error(module):
    flag = "--markdown" if module == "configuration_tables" else "--help"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", f"wm_training.commands.{module}", flag],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
    )
    os.close(write)
    assert done.stderr == b""


def test_expected_errors_of_work_become_one_line(capsys):
    def fail():
        return json.loads("{")

    assert run("work", fail, (ValueError,)) == 1
    assert capsys.readouterr().err.startswith("work: Expecting")
    with pytest.raises(ValueError):
        run("work", fail, (OSError,))

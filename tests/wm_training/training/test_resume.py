"""A run that is stopped, in order or not, ends as if it had never been."""

import csv
import os
import signal
from pathlib import Path

import pytest
import torch
from tiny_training import (
    WITH_POLICY,
    flags,
    logged_updates,
    read_state,
    same,
    start,
    state,
    tiny_config,
    train_command,
    wait_until,
)
from wm_training import WorldModelTrainer
from wm_training.commands import train
from wm_training.training.checkpoints import read_checkpoint

TIMES = ("seconds", "frames_per_s")


def table(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV, without what the clock says."""
    with open(file, newline="") as stream:
        return [{name: value for name, value in row.items() if name not in TIMES} for row in csv.DictReader(stream)]


def test_a_run_killed_at_any_update_ends_as_one_never_killed(tmp_path):
    # checkpoint_minutes next to nothing: last.pt is written at every look at the clock, every ten updates.
    settings = dict(num_epochs=8, checkpoint_minutes=1e-6, batch_size=2, keep_checkpoints=9, **WITH_POLICY)
    whole = tiny_config(tmp_path, output_dir=str(tmp_path / "whole"), **settings)
    assert train.main(flags(whole)) == 0
    killed, log = tiny_config(tmp_path, output_dir=str(tmp_path / "killed"), **settings), tmp_path / "log"
    total = WorldModelTrainer(killed).total_steps
    assert total == 8 * 8
    for updates in (13, 31):  # within the second and the fourth epoch, beyond the last.pt of 10 and 30
        process = start(train_command(killed), log)
        wait_until(lambda at=updates: logged_updates(killed) >= at, process, log)
        process.kill()
        process.wait()
        assert read_checkpoint(tmp_path / "killed" / "last.pt")["step"] < total, log.read_text()
    assert train.main(flags(killed)) == 0
    assert same(read_state(whole), read_state(killed))
    for name in ("metrics.csv", "updates.csv"):
        rows = table(tmp_path / "killed" / name)
        assert rows == table(tmp_path / "whole" / name) and len(rows) == {"metrics.csv": 8, "updates.csv": total}[name]
    for name in ("best_model.pt", *(f"checkpoint_epoch_{epoch}.pt" for epoch in range(1, 9))):
        assert same(read_state(whole, name), read_state(killed, name))
        one, two = (read_checkpoint(Path(config.output_dir) / name) for config in (whole, killed))
        assert (one["step"], one["best_validation"]) == (two["step"], two["best_validation"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops_in_order_and_the_run_goes_on_from_there(tmp_path, number):
    whole = WorldModelTrainer(tiny_config(tmp_path, num_epochs=4))
    whole.train()
    config = tiny_config(tmp_path, num_epochs=4, output_dir=str(tmp_path / "part"))
    part = WorldModelTrainer(config)
    update, stop_after = part.learner.update, part.steps_per_epoch + 2

    def update_and_signal(sample):
        if sample.step + 1 == stop_after:
            os.kill(os.getpid(), number)
        return update(sample)

    part.learner.update = update_and_signal
    before = signal.getsignal(number)
    part.train()
    assert part.stopped_early and part.step == stop_after and signal.getsignal(number) is before
    rest = WorldModelTrainer(config)
    rest.load_checkpoint(tmp_path / "part" / "last.pt")
    rest.train()
    assert not rest.stopped_early and same(state(whole), state(rest))


def test_sigterm_ends_the_command_with_130_and_what_to_do(tmp_path):
    config, log = tiny_config(tmp_path, num_epochs=100_000), tmp_path / "log"
    process = start(train_command(config), log)
    wait_until(lambda: logged_updates(config) > 0, process, log)
    process.terminate()
    assert process.wait(timeout=30) == 130
    step = read_checkpoint(tmp_path / "out" / "last.pt")["step"]
    assert f"stopped at update {step}; the same command continues from" in log.read_text()
    assert not list((tmp_path / "out").glob(".*part*"))


def test_a_signal_in_the_last_update_is_no_reason_to_continue(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path, num_epochs=1))
    update = trainer.learner.update

    def update_and_signal(sample):
        if sample.step + 1 == trainer.total_steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return update(sample)

    trainer.learner.update = update_and_signal
    trainer.train()
    assert trainer.step == trainer.total_steps and not trainer.stopped_early


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    config = tiny_config(tmp_path)
    assert train.main(flags(config)) == 0
    before = read_state(config)
    rows = table(tmp_path / "out" / "metrics.csv")
    assert train.main(flags(config)) == 0
    assert same(read_state(config), before) and table(tmp_path / "out" / "metrics.csv") == rows


def test_reading_ahead_changes_nothing(tmp_path):
    runs = []
    for ahead in (0, 3):
        trainer = WorldModelTrainer(
            tiny_config(tmp_path, prefetch_batches=ahead, output_dir=str(tmp_path / str(ahead)))
        )
        trainer.train()
        runs.append(state(trainer))
    assert same(*runs) and torch.is_grad_enabled()

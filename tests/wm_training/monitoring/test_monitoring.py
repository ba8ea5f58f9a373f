import csv
import io
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from wm_training import WorldModelTrainConfig
from wm_training.monitoring import monitor as monitoring
from wm_training.monitoring.monitor import Monitor
from wm_training.monitoring.progress import TrainingProgress

UPDATES_PER_EPOCH, TOTAL, LOG_EVERY, POLICY_START = 25, 100, 10, 60
TIMING = {"seconds", "frames_per_s"}
CONFIG = WorldModelTrainConfig(log_every=LOG_EVERY, kl_anneal_steps=0, warmup_steps=0)


def metrics_of(step: int) -> dict[str, torch.Tensor]:
    """What a trainer would hand over: a pure function of the step; policy learning joins later."""
    values = {"reconstruction": 100.0 / step, "kl": 1.0 + 1.0 / 3.0 * step, "metric/pixel_mse": 0.1 / step}
    if step > POLICY_START:
        values["actor"] = -0.1 * step
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}


def train(folder, first: int, last: int = TOTAL, **settings) -> None:
    """The trainer's loop, as far as the Monitor can tell."""
    with Monitor(folder, settings.get("config", CONFIG), TOTAL, first, frames_per_update=8) as monitor:
        for step in range(first + 1, last + 1):
            monitor.update(step, metrics_of(step))
            if step % UPDATES_PER_EPOCH == 0:
                monitor.epoch(step // UPDATES_PER_EPOCH, step, {"kl": 2.0 + step, "total": 3.0 * step})
        monitor.finish({"waiting for data": 0.01})


def rows(file) -> list[dict[str, str]]:
    """A table without its timing columns."""
    with open(file, newline="") as stream:
        return [{k: v for k, v in row.items() if k not in TIMING} for row in csv.DictReader(stream, strict=True)]


def scalars(folder, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


@pytest.mark.parametrize(("saved", "killed"), [(37, 83), (70, 71)])
def test_a_killed_and_resumed_run_has_the_curves_of_one_never_stopped(tmp_path, saved, killed):
    train(tmp_path / "whole", 0)
    # Killed at update `killed` after a checkpoint at `saved`: in the middle of an epoch and of a logging period.
    code = (
        f"import os, signal, test_monitoring as t; f = t.metrics_of\n"
        f"t.metrics_of = lambda s: os.kill(os.getpid(), signal.SIGKILL) if s == {killed} else f(s)\n"
        f"t.train({str(tmp_path / 'part')!r}, 0)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60)
    assert process.returncode == -signal.SIGKILL
    train(tmp_path / "part", saved)
    for file in ("metrics.csv", "updates.csv"):
        assert rows(tmp_path / "part" / file) == rows(tmp_path / "whole" / file)
    for name in ("train/kl", "train/actor", "validation/kl"):
        assert scalars(tmp_path / "part", name) == scalars(tmp_path / "whole", name)


def test_an_epochs_row_holds_the_means_of_its_logged_updates(tmp_path):
    train(tmp_path, 0)
    table = rows(tmp_path / "metrics.csv")
    assert [(row["epoch"], row["step"]) for row in table] == [("1", "25"), ("2", "50"), ("3", "75"), ("4", "100")]
    # Updates 30, 40 and 50 were logged in epoch 2; kl is 1 + step / 3: 11, 14 1/3, 17 2/3, mean 14 1/3.
    assert float(table[1]["train/kl"]) == pytest.approx(14.0 + 1.0 / 3.0)
    assert float(table[1]["validation/total"]) == 150.0
    # Epoch 3: 60 is before policy learning, 70 and 75 (the epoch's last, always logged) are in it: -7, -7.5.
    assert [row["train/actor"] for row in table[:2]] == ["", ""]
    assert float(table[2]["train/actor"]) == pytest.approx(-7.25)


def test_an_unfinished_last_line_is_removed_and_a_damaged_one_cuts_the_table(tmp_path, capsys):
    train(tmp_path, 0, last=50)
    whole = rows(tmp_path / "updates.csv")
    with open(tmp_path / "updates.csv", "a") as stream:
        stream.write("60,1.6666")
    train(tmp_path, 50, last=50)
    assert rows(tmp_path / "updates.csv") == whole
    assert "damaged" not in capsys.readouterr().err
    lines = (tmp_path / "updates.csv").read_text().splitlines(keepends=True)
    (tmp_path / "updates.csv").write_text("".join([*lines[:3], "3\0,x\n", *lines[3:]]))
    train(tmp_path, 50, last=50)
    assert rows(tmp_path / "updates.csv") == whole[:2]
    assert "line 4 was damaged" in capsys.readouterr().err


def test_a_run_that_starts_anew_leaves_nothing_of_an_older_one(tmp_path):
    train(tmp_path, 0)
    train(tmp_path, 0, last=20)
    assert not (tmp_path / "metrics.csv").exists()
    assert [row["step"] for row in rows(tmp_path / "updates.csv")] == ["10", "20"]
    assert [step for step, _ in scalars(tmp_path, "train/kl")] == [10, 20]


def test_the_device_is_read_only_when_a_point_is_due(tmp_path):
    unreadable = {name: value.to("meta") for name, value in metrics_of(1).items()}
    with Monitor(tmp_path, CONFIG, TOTAL, 0, frames_per_update=8) as monitor:
        for step in range(1, LOG_EVERY):
            monitor.update(step, unreadable)
        with pytest.raises((NotImplementedError, RuntimeError)):
            monitor.update(LOG_EVERY, unreadable)


def test_other_ranks_show_and_write_nothing(tmp_path, capsys):
    with Monitor(tmp_path / "out", CONFIG, TOTAL, 0, frames_per_update=8, enabled=False) as monitor:
        monitor.update(10, {})
        monitor.epoch(1, 25, {})
        monitor.video("open_loop", 25, np.zeros((1, 2, 2, 3), np.uint8))
        monitor.finish({"computing": 1.0})
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr() == ("", "")


def test_videos_are_animated_pictures_in_tensorboard_and_the_settings_are_text(tmp_path):
    frames = np.zeros((5, 16, 24, 3), np.uint8)
    frames[np.arange(5), :, np.arange(5) * 4] = 255
    with Monitor(tmp_path, CONFIG, TOTAL, 0, frames_per_update=8) as monitor:
        monitor.video("open_loop", 25, frames)
        with pytest.raises(ValueError, match=r"float64 \(2, 16, 24\), expected uint8 \(T, H, W, 3\)"):
            monitor.video("open_loop", 25, np.zeros((2, 16, 24)))
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (image,) = events.Images("open_loop")
    gif = Image.open(io.BytesIO(image.encoded_image_string))
    assert (gif.format, gif.n_frames, gif.size, image.step) == ("GIF", 5, (24, 16), 25)
    for index in range(5):
        gif.seek(index)
        assert np.array_equal(np.asarray(gif.convert("RGB")), frames[index])
    (text,) = events.Tensors("configuration/text_summary")
    assert "| log_every | 10 |" in text.tensor_proto.string_val[0].decode()


def test_a_finding_is_said_when_it_first_appears_and_again_at_the_end(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(globals(), "metrics_of", lambda step: {"metric/pixel_mse": torch.tensor(7.0)})
    train(tmp_path, 0)
    said = capsys.readouterr().err
    assert said.count("health warning: instability") == 2
    assert said.index("health warning") < said.index("epoch 2") < said.rindex("health warning")
    report = json.loads((tmp_path / "health.json").read_text())
    assert report["updates"] == TOTAL and report["levels"]["recon_loss"]["value"] == 7.0
    (finding,) = report["findings"]
    assert finding["severity"] == "warning" and "learning_rate" in finding["remedy"]
    assert (finding["first_update"], finding["last_update"]) == (10, 100)


def test_a_run_that_fails_leaves_its_findings(tmp_path):
    def fail() -> None:
        with Monitor(tmp_path, CONFIG, TOTAL, 0, frames_per_update=8) as monitor:
            monitor.update(LOG_EVERY, {"kl": torch.tensor(float("nan"))})
            raise RuntimeError("the loss is not finite")

    with pytest.raises(RuntimeError, match="not finite"):
        fail()
    (finding,) = json.loads((tmp_path / "health.json").read_text())["findings"]
    assert finding["issue"] == "instability" and "train/kl is not finite" in finding["evidence"]
    assert [step for step, _ in scalars(tmp_path, "train/kl")] == [10]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def show(terminal: bool, updates: int) -> str:
    """What is shown of ``updates`` updates of half a second each."""
    stream, clock = io.StringIO(), Clock()
    console = Console(file=stream, force_terminal=terminal, width=200, color_system=None)
    progress = TrainingProgress(1000, 100, frames_per_update=50, console=console, clock=clock)
    progress.start()
    for step in range(101, 101 + updates):
        clock.now += 0.5
        progress.advance(step)
        if progress.is_due():
            progress.show({"kl": 1.5, "metric/kl_nats": 2.0})
    progress.stop()
    return stream.getvalue()


def test_without_a_terminal_a_plain_line_is_said_every_20_seconds():
    # 120 updates take 60 s: three lines. 2 updates/s of 50 frames are 100 frames/s; 860 are left after 40, 430 s.
    lines = show(False, 120).splitlines()
    assert len(lines) == 3
    assert lines[0] == "update 140/1000: 100 frames/s, 0:07:10 left: kl 1.5"


def test_on_a_terminal_one_line_shows_updates_speed_time_left_and_losses():
    assert "140/1000 100 frames/s, 0:07:10 left: kl 1.5" in show(True, 40)


def test_values_are_read_by_one_transfer():
    values = {"a": torch.tensor(1, dtype=torch.bfloat16), "b": torch.tensor([2.5])}
    assert monitoring.read(values) == {"a": 1.0, "b": 2.5} and monitoring.read({}) == {}

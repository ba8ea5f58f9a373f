import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest
import torch
from browser import check_report
from make_episodes import make_episode, make_folder
from small_model import small_batch, small_model
from wm_training import WorldModelTrainConfig, WorldModelTrainer, write_episode
from wm_training.commands.visualize import main
from wm_training.imagination.pictures import SAMPLES, Trajectory, trajectory_figure, video_frames, write_png
from wm_training.model.open_loop import open_loop

FILES = ["imagined_trajectory.mp4", "imagined_trajectory.png", "scorecard.html", "scorecard.json"]
FAST = ["--horizon", "6", "--frames", "120", "--resamples", "20", "--threads", "1", "--device", "cpu"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Of a model that trained for four updates, on four episodes of which two validate."""
    folder = tmp_path_factory.mktemp("run")
    make_folder(folder / "data", count=4, rows=40)
    config = WorldModelTrainConfig(
        state_dim=16,
        latent_dim=4,
        hidden_dim=16,
        conv_depth=4,
        return_bins=9,
        batch_size=4,
        sequence_length=8,
        num_epochs=1,
        warmup_steps=2,
        kl_anneal_steps=4,
        learning_rate=1e-2,
        validation_share=0.5,
        threads=1,
        num_imagination_samples=3,
        ensemble_size=2,
        video_epochs=0,
        data_path=str(folder / "data"),
        output_dir=str(folder),
    )
    trainer = WorldModelTrainer(config)
    trainer.train()
    trainer.save_checkpoint(folder / "model.pt")
    return folder / "model.pt"


@pytest.fixture(scope="module")
def report(checkpoint):
    """The folder of a whole run of the command."""
    output = checkpoint.parent / "report"
    assert main(["--checkpoint", str(checkpoint), "--output", str(output), *FAST]) == 0
    return output


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_folder_holds_picture_video_scorecard_and_page(report):
    assert sorted(file.name for file in report.iterdir()) == FILES
    card = json.loads((report / "scorecard.json").read_text())
    assert card["version"] == 2 and card["steps"] == [1, 5, 6]
    assert card["settings"]["samples"] == 3  # the model's own number
    assert card["data"]["split"] == "val" and card["windows"]["segments"] == 2
    assert card["window"]["episode"] in ("episode_000001.npz", "episode_000003.npz")
    assert card["window"]["rows"] == 11 and card["window"]["typical"]
    assert len(card["curves"]["psnr_db"]["imagined"]["value"]) == 6
    assert card["uncertainty"]["disagreement"]["size"]["value"][0] > 0


def test_the_video_is_h264_at_the_datas_rate_with_the_context_before_the_future(report):
    with av.open(str(report / "imagined_trajectory.mp4")) as video:
        stream = video.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == 12.5
        assert stream.width % 2 == 0 and stream.height % 2 == 0 and stream.width >= 5 * 200
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]
    assert len(frames) == 11 + round(1.5 * 12.5)
    moved = [int(np.abs(a.astype(int) - b).max()) for a, b in zip(frames[:10], frames[1:11], strict=True)]
    assert min(moved) > 50  # every row is another frame; then the last one stays


def test_the_page_opens_in_a_browser_and_shows_every_figure(report, browser):
    page = (report / "scorecard.html").read_text()
    card = json.loads((report / "scorecard.json").read_text())
    for value, (low, high) in zip(*card["picture"]["psnr_db"]["imagined"].values(), strict=True):
        assert f">{value:.1f} ({low:.1f}, {high:.1f})<" in page
    # PSNR, SSIM, errors of reward, return and speed, both uncertainties, reliability, and of the window reward, return
    # and speed.
    check_report(browser, report / "scorecard.html", charts=11)


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(checkpoint, report, tmp_path):
    for seed, same in (("0", True), ("1", False)):
        assert main(["--checkpoint", str(checkpoint), "--output", str(tmp_path / seed), "--seed", seed, *FAST]) == 0
        # Only the digests are compared: pytest explains two unequal pages at such length that it runs out of time.
        equal = {name: digest(tmp_path / seed / name) == digest(report / name) for name in FILES}
        assert equal == dict.fromkeys(FILES, same)


def test_the_tables_are_printed_and_the_window_asked_for_is_drawn(checkpoint, tmp_path, capsys):
    asked = ["--episode", "episode_000003", "--start", "20", "--samples", "1"]
    assert main(["--checkpoint", str(checkpoint), "--output", str(tmp_path), *asked, *FAST]) == 0
    window = json.loads((tmp_path / "scorecard.json").read_text())["window"]
    assert window == {"episode": "episode_000003.npz", "start": 20, "rows": 11, "typical": False}
    said = capsys.readouterr()
    for text in (
        "PSNR [dB], imagined",
        "speed error [m/s], last one seen, held",
        "Break-even horizon",
        "epistemic, disagreement",
        "too few to tell",
    ):
        assert text in said.out
    assert "wrote scorecard.html" in said.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--horizon", "36"], 1, "no episode has the 41 rows .* the longest has 40: lower --horizon"),
        (["--episode", "episode_000002"], 1, "no episode episode_000002.npz in the val split"),
        (["--index", "2"], 1, "index is 2, expected 0 to 1"),
        (["--start", "30"], 1, "start is 30, expected 0 to 29: episode episode_000001.npz has 40 rows"),
        (["--device", "abacus"], 1, "expected auto, cpu"),
        (["--data-path", "nowhere"], 1, "no folder nowhere"),
        (["--checkpoint", "none.pt"], 1, "no checkpoint at none.pt"),
        (["--context", "1"], 2, "context is 1, expected at least 2"),
        (["--samples", "-1"], 2, "samples is -1"),
        (["--index", "0", "--episode", "a"], 2, "only one"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason_and_nothing_is_written(
    checkpoint, tmp_path, capsys, arguments, code, message
):
    flags = ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "out"), *FAST, *arguments]
    try:
        found = main(flags)
    except SystemExit as stop:
        found = stop.code
    said = capsys.readouterr().err
    assert found == code and re.search(message, said) and "Traceback" not in said, said
    assert code == 2 or len(said.strip().splitlines()) == 1  # what the flags themselves forbid comes in a box
    assert not (tmp_path / "out").exists()


def test_data_without_validation_episodes_is_scored_only_when_asked(checkpoint, tmp_path, capsys):
    make_folder(tmp_path / "one", count=1)
    flags = ["--checkpoint", str(checkpoint), "--data-path", str(tmp_path / "one"), "--output", str(tmp_path / "out")]
    flags += ["--samples", "1"]
    assert main([*flags, *FAST]) == 1
    assert "has no validation episodes" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main([*flags, *FAST, "--split", "train"]) == 0
    assert json.loads((tmp_path / "out" / "scorecard.json").read_text())["data"]["split"] == "train"


def test_episodes_of_another_kind_or_too_short_are_told(checkpoint, tmp_path, capsys):
    for i in range(4):
        without = replace(make_episode(40, seed=i), vector=np.zeros((40, 0), np.float32))
        write_episode(tmp_path / "no_speed" / f"{i}.npz", without)
        write_episode(tmp_path / "mixed" / f"{i}.npz", make_episode(40 if i == 3 else 7, seed=i))
    flags = ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "out"), *FAST]
    assert main([*flags, "--data-path", str(tmp_path / "no_speed")]) == 1
    error = capsys.readouterr().err
    assert "has the vector inputs none (its meta names speed [m/s]), the training of the model has the vector" in error
    assert main([*flags, "--data-path", str(tmp_path / "mixed")]) == 0
    assert "1 of 2 episodes are shorter than 11 rows and skipped" in capsys.readouterr().err
    assert main([*flags, "--data-path", str(tmp_path / "mixed"), "--index", "0"]) == 1
    assert "episode 1.npz has 7 rows, expected 11" in capsys.readouterr().err


def test_a_model_that_diverged_is_told(checkpoint, tmp_path, capsys):
    payload = torch.load(checkpoint, weights_only=True)
    payload["model"]["rssm.gru.norm.weight"].fill_(float("nan"))
    torch.save(payload, tmp_path / "model.pt")
    assert main(["--checkpoint", str(tmp_path / "model.pt"), *FAST]) == 1
    assert "imagines numbers that are not finite" in capsys.readouterr().err
    assert not (tmp_path / "visualize").exists()


def test_help_does_not_wait_for_torch():
    code = (
        "import sys\nfrom wm_training.commands.visualize import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    )
    code += "print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "--checkpoint" in done.stdout and done.stdout.strip().endswith("False")


def test_three_cameras_are_all_drawn(tmp_path):
    batch = small_batch(steps=8, sequences=1, cameras=3)
    batch.image[:] = torch.tensor([250, 10, 10, 10, 250, 10, 10, 10, 250], dtype=torch.uint8)[:, None, None]
    result = open_loop(small_model(cameras=3), batch, 3, samples=2, seed=0, decoded_samples=SAMPLES)
    trajectory = Trajectory(result, "three cameras", np.zeros(2), rate_hz=10.0)
    write_png(tmp_path / "picture.png", trajectory_figure(trajectory))
    picture = cv2.cvtColor(cv2.imread(str(tmp_path / "picture.png")), cv2.COLOR_BGR2RGB)
    frames = list(video_frames(trajectory))
    assert len(frames) == 8
    for pixels in (picture, frames[-1]):
        for channel in range(3):
            colour = np.full(3, 10)
            colour[channel] = 250
            assert (pixels == colour).all(-1).sum() > 1000, f"camera {channel}"

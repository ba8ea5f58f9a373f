"""The looping picture: that it shows what was recorded and what the model imagined, and how it refuses what is none."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures_rosbag import CAMERA, MS, drive, image, write_bag
from make_episodes import make_episode
from PIL import Image, ImageSequence
from tiny_bundle import make_tiny_bundle, tiny_model
from wm_bundle import load_bundle, write_bundle
from wm_bundle.onnx_runtime import onnxruntime as ort
from wm_data.episodes import Episode, write_episode
from wm_tools.loop_picture.__main__ import main
from wm_tools.loop_picture.clip import steps_ahead
from wm_tools.loop_picture.drawing import BORDER, CAPTION, FOOT, HOLD_S, MARGIN, PANEL, WIDTH, enlarged
from wm_training.exporting.graphs import export_graphs

ROWS = 60  # 80 ms each
LOOK, HORIZON = 3, 7  # beyond the tiny bundle's own 5: two calls of imagine.onnx
TURN = LOOK + HORIZON
TOP, RIGHT = CAPTION + BORDER, WIDTH - MARGIN - PANEL


def run(*arguments) -> int:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys, "argv", ["loop_picture", *map(str, arguments)])
        try:
            return main()
        except SystemExit as end:
            return end.code


def frames_of(path: Path) -> tuple[list[np.ndarray], list[int]]:
    """The frames and how long each is shown [ms]."""
    with Image.open(path) as picture:
        assert picture.format == "WEBP" and picture.info["loop"] == 0
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]
    return [np.asarray(frame) for frame in frames], [frame.info["duration"] for frame in frames]


def panel(frame: np.ndarray, left: int, scale: int) -> np.ndarray:
    """The picture that fills a panel, at its own size; every pixel of it is one square of one colour."""
    area = frame[TOP : TOP + PANEL, left : left + PANEL]
    small = area[::scale, ::scale]
    assert np.array_equal(area, small.repeat(scale, 0).repeat(scale, 1))
    return small


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """An untrained one whose pictures follow the belief, and whose belief follows the actions, more than usual."""
    model = tiny_model(vector_weight=0.0)
    with torch.no_grad():
        model.decoder.project.weight *= 30.0
    folder = tmp_path_factory.mktemp("bundles")
    manifest = load_bundle(make_tiny_bundle(folder / "tiny")).manifest
    (folder / "graphs").mkdir()
    return write_bundle(folder / "lively", manifest, export_graphs(model, folder / "graphs")).path


@pytest.fixture(scope="module")
def episode() -> Episode:
    return make_episode(ROWS, terminal=False)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, episode) -> Path:
    return write_episode(tmp_path_factory.mktemp("episodes") / "drive.npz", episode)


@pytest.fixture(scope="module")
def made(tmp_path_factory, bundle, recorded) -> Path:
    """Two turns from 0.4 s on, which is row 5."""
    output = tmp_path_factory.mktemp("made") / "new" / "loop.webp"
    seconds = 2 * TURN * 0.08 + 0.5  # the half second holds no further turn
    assert (
        run(
            recorded,
            "--bundle",
            bundle,
            "--output",
            output,
            "--start",
            0.4,
            "--seconds",
            seconds,
            "--look",
            LOOK,
            "--horizon",
            HORIZON,
        )
        == 0
    )
    return output


def test_it_shows_whole_turns_at_the_pace_of_the_drive_and_holds_each_one_at_its_end(made):
    frames, durations_ms = frames_of(made)
    assert [frame.shape for frame in frames] == [(CAPTION + PANEL + 2 * BORDER + FOOT, WIDTH, 3)] * (2 * TURN)
    held = 80 + round(1000 * HOLD_S)
    assert durations_ms == ([80] * (TURN - 1) + [held]) * 2
    assert made.stat().st_size < 1_500_000 and [file.name for file in made.parent.iterdir()] == ["loop.webp"]


def test_the_same_input_gives_the_same_bytes(made, bundle, recorded, tmp_path):
    assert (
        run(
            recorded,
            "--bundle",
            bundle,
            "--output",
            tmp_path / "again.webp",
            "--start",
            0.4,
            "--seconds",
            2 * TURN * 0.08,
            "--look",
            LOOK,
            "--horizon",
            HORIZON,
        )
        == 0
    )
    assert (tmp_path / "again.webp").read_bytes() == made.read_bytes()


def beliefs_shown(bundle: Path, episode: Episode, late: int) -> np.ndarray:
    """The beliefs (2 TURN, F) that the clip should show, from the bundle's files alone: row t is observed with the
    action before it, and step k after the last picture seen is what k recorded actions lead to, without noise.
    ``late``: so many rows later actions than those are taken."""
    observe, imagine = (ort.InferenceSession(bundle / name) for name in ("observe.onnx", "imagine.onnx"))
    seen, belief, before = [], np.zeros((1, 20), np.float32), np.zeros(3, np.float32)
    for row in range(5 + 2 * TURN):
        belief, _ = observe.run(
            ["next_belief", "surprise"],
            {
                "image": episode.observations[row][None],
                "vector": episode.vector[row][None],
                "previous_action": before[None],
                "belief": belief,
                "is_first": np.array([float(row == 0)], np.float32),
            },
        )
        seen.append(belief)
        before = episode.actions[row]
    shown = []
    for first in (5, 5 + TURN):
        shown += seen[first : first + LOOK]
        at = last = first + LOOK - 1
        belief = seen[last]
        while at < last + HORIZON:  # five steps, and from there two more
            (beliefs,) = imagine.run(
                ["beliefs"],
                {
                    "belief": belief,
                    "actions": episode.actions[None, at + late : at + late + 5],
                    "noise": np.zeros((1, 5, 4), np.float32),
                },
            )
            shown.append(beliefs[0, : last + HORIZON - at])
            belief, at = beliefs[:, -1], at + 5
    return np.concatenate(shown)


def test_the_model_s_panel_is_what_the_bundle_decodes_of_beliefs_seen_and_then_imagined(made, bundle, episode):
    decode = ort.InferenceSession(bundle / "decode.onnx")
    expected, shifted = (
        decode.run(["image"], {"belief": beliefs_shown(bundle, episode, late)})[0].transpose(0, 2, 3, 1).astype(int)
        for late in (0, 1)
    )
    shown = np.stack([panel(frame, RIGHT, 6) for frame in frames_of(made)[0]]).astype(int)
    assert np.abs(shown - expected).max() <= 1
    assert np.abs(shown - shifted).max() > 3  # the check above can tell one row of time


def test_the_camera_s_panel_and_the_border_tell_what_came_and_whether_the_model_saw_it(made, episode):
    frames, _ = frames_of(made)
    for frame, row in zip(frames, range(5, 5 + 2 * TURN), strict=True):
        assert np.array_equal(panel(frame, MARGIN, 6), episode.observations[row].transpose(1, 2, 0))
    borders = [tuple(frame[TOP - 2, RIGHT + 100].tolist()) for frame in frames]
    assert borders == (borders[:1] * LOOK + borders[LOOK : LOOK + 1] * HORIZON) * 2 and len(set(borders)) == 2


def test_of_a_bag_the_camera_s_own_pixels_are_shown_not_those_the_model_gets(bundle, tmp_path):
    def noise(fields, log_ns):
        row = round(log_ns / (80 * MS))
        pixels = np.random.default_rng(row).integers(0, 256, (96, 96, 4), np.uint8)
        return image(0, pixels) | {"header": fields["header"]}, log_ns

    bag = write_bag(tmp_path / "bag", drive(30, 80 * MS, start_ns=80 * MS, height=96, width=96).changed(CAMERA, noise))
    assert (
        run(
            bag,
            "--bundle",
            bundle,
            "--output",
            tmp_path / "a.webp",
            "--start",
            0,
            "--seconds",
            1,
            "--look",
            2,
            "--horizon",
            3,
        )
        == 0
    )
    frames, _ = frames_of(tmp_path / "a.webp")
    assert len(frames) == 10
    for row, frame in enumerate(frames, start=1):
        pixels = np.random.default_rng(row).integers(0, 256, (96, 96, 4), np.uint8)
        assert np.array_equal(panel(frame, MARGIN, 4), pixels[..., 2::-1])  # bgra


def test_without_a_start_the_part_with_most_steering_is_shown(bundle, episode, tmp_path, capsys):
    actions = episode.actions.copy()
    actions[:, 0] = 0.0
    actions[33:43, 0] = -0.8  # ten rows from 2.64 s on
    recorded = write_episode(tmp_path / "a.npz", replace(episode, actions=actions))
    assert run(recorded, "--bundle", bundle, "--output", tmp_path / "a.webp", "--seconds", 0.8, "--look", 5) == 0
    assert "10 frames from 2.64 s on" in capsys.readouterr().out


def test_turns_are_counted_in_steps_since_the_last_picture_seen():
    assert steps_ahead(2, 2, 3).tolist() == [0, 0, 1, 2, 3] * 2


def test_a_picture_at_a_multiple_of_its_size_keeps_every_pixel_and_a_large_one_its_mean():
    small = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(enlarged(small, (8, 12))[::4, ::4], small)
    assert enlarged(np.full((600, 800, 3), 77, np.uint8), (288, 384)).tolist() == np.full((288, 384, 3), 77).tolist()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--output", "a.gif"], 2, "--output: expected a file that ends with .webp, found 'a.gif'"),
        (["--seconds", "nan"], 2, "--seconds: expected above 0 to 60, found nan"),
        (["--seconds", "0.5"], 2, "--seconds: expected at least 0.88, one turn of 6 pictures to look at and 5"),
        (["--camera", "rear"], 2, "--camera: expected one of the bundle's, rgb_front, found 'rear'"),
        (["--set", "candidates=1"], 2, "--set: the planner refuses: parameter candidates"),
        (["--horizon", "80", "--seconds", "60"], 3, "has no 55.04 s (688 pictures) anywhere"),
        (["--start", "4"], 3, "from --start 4 s on that the model saw without a gap: the longest drive read in it has"),
        (["--start", "100"], 3, "from --start 100 s on"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line_and_leaves_no_file(
    bundle, recorded, tmp_path, monkeypatch, capsys, words, code, message
):
    monkeypatch.chdir(tmp_path)
    assert run(recorded, "--bundle", bundle, "--output", "a.webp", *words) == code
    said = capsys.readouterr().err
    assert said.startswith("loop_picture: ") and message in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_a_decoder_a_camera_of_another_size_and_several_drives_are_refused(
    bundle, recorded, tmp_path, capsys
):
    other = make_tiny_bundle(tmp_path / "other")
    (other / "decode.onnx").unlink()
    bag = write_bag(tmp_path / "bag", drive(40, 80 * MS, height=48, width=64))
    write_episode(tmp_path / "two" / "a.npz", make_episode(20))
    write_episode(tmp_path / "two" / "b.npz", make_episode(20))
    for source, model, code, message in (
        (recorded, other, 4, "decode.onnx"),
        (tmp_path / "none", bundle, 3, "none"),
        (bag, bundle, 3, "has pictures of 64x48 pixels, the bundle expects 96x96"),
        (tmp_path / "two", bundle, 3, "holds 2 recordings: choose one"),
    ):
        assert run(source, "--bundle", model, "--output", tmp_path / "a.webp") == code
        said = capsys.readouterr().err
        assert said.startswith("loop_picture: ") and message in said and said.count("\n") == 1, said
    assert not (tmp_path / "a.webp").exists()

"""The whole command: what it writes, that it writes the same again, its exit codes, and its one line for faults."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fixtures_rosbag import drive, write_bag
from make_episodes import make_episode
from tiny_bundle import damage, make_tiny_bundle
from wm_data.episodes import write_episode
from wm_evaluation.command_line import parse
from wm_tools.evaluate_bag.__main__ import main
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions

QUICK = [
    "--steps",
    "7",
    "--samples",
    "2",
    "--stride",
    "10",
    "--resamples",
    "20",
    "--segment",
    "2",
    "--moments",
    "2",
    "--set",
    "candidates=16",
    "iterations=1",
]
FILES = ["report.html", "result.json", "result.jsonl", "worst_moments.mp4"]


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["evaluate_bag", *map(str, arguments)])
    return main()


def without_times(folder) -> tuple[str, list[dict]]:
    """result.json and the lines of result.jsonl, less what the clock of the machine said."""
    result = json.loads((folder / "result.json").read_text())
    result.pop("speed")
    for bundle in result["bundles"]:
        bundle["figures"] = {k: v for k, v in bundle["figures"].items() if not k.startswith("latency_ms.")}
    lines = [json.loads(line) for line in (folder / "result.jsonl").read_text().splitlines()]
    for line in lines:
        assert line.pop("latency_ms")["total"] > 0.0
    return json.dumps(result), lines


@pytest.fixture(scope="module")
def twice(tmp_path_factory, bundle, raw_bag):
    """The folders of two runs of the same evaluation, with a baseline that surprises itself sooner."""
    folder = tmp_path_factory.mktemp("twice")
    jumpy = make_tiny_bundle(folder / "jumpy", model_id="jumpy", surprise_threshold=2.0)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("one", "two"):
            code = run(monkeypatch, raw_bag, "--bundle", bundle, "--baseline", jumpy, "--output", folder / name, *QUICK)
            assert code == 0
    return folder / "one", folder / "two"


def test_the_same_input_gives_the_same_bytes_but_for_what_the_clock_says(twice):
    one, two = twice
    assert sorted(file.name for file in one.iterdir()) == FILES
    assert without_times(one) == without_times(two)
    assert (one / "worst_moments.mp4").read_bytes() == (two / "worst_moments.mp4").read_bytes()


def test_two_bundles_stand_side_by_side_on_the_same_frames_with_their_differences(twice):
    result = json.loads((twice[0] / "result.json").read_text())
    ours, jumpy = result["bundles"]
    assert [ours["name"], jumpy["name"]] == ["tiny-test", "jumpy"] and result["passed"] is True
    assert ours["figures"].keys() == jumpy["figures"].keys()
    (difference,) = result["differences"]
    assert (difference["bundle"], difference["baseline"]) == ("tiny-test", "jumpy")
    brakes = [bundle["figures"]["mode.braking_share"]["value"] for bundle in (ours, jumpy)]
    assert brakes[0] == 0.0 < brakes[1]
    assert difference["figures"]["mode.braking_share"]["value"] == pytest.approx(-brakes[1])
    # The same weights see the same: all that differs is what is made of the surprise.
    assert difference["figures"]["posterior.psnr_db"] == {"value": 0.0, "ci95": [0.0, 0.0]}
    assert [moment["frame"] for moment in ours["moments"]] == [moment["frame"] for moment in jumpy["moments"]]


def test_every_frame_has_a_line_for_each_bundle_in_the_order_of_time(twice):
    _, lines = without_times(twice[0])
    assert len(lines) == 2 * 99 and [line["bundle"] for line in lines[:2]] == ["tiny-test", "jumpy"]
    stamps = [line["stamp_ns"] for line in lines]
    assert stamps == sorted(stamps) and stamps[0] == stamps[1] == 1_000_000_000
    assert " ".join(lines[0]) == (
        "bundle segment episode row stamp_ns mode reason recorded planned reward predicted_reward surprise "
        "prior_psnr_db posterior_psnr_db value epistemic aleatoric"
    )
    for line in lines:
        braking = line["mode"] == "braking"
        assert (line["planned"] is None) == braking and bool(line["reason"]) == (line["mode"] != "driving")
    assert lines[0]["prior_psnr_db"] is None and isinstance(lines[2]["prior_psnr_db"], float)
    assert {line["segment"] for line in lines} == {0, 1, 2, 3} and lines[0]["epistemic"] is None


def test_thresholds_make_the_exit_code_and_the_failing_one_is_named_with_its_value(
    tmp_path, monkeypatch, capsys, bundle, raw_bag
):
    arguments = [raw_bag, "--bundle", bundle, "--output", tmp_path, "--frames", "30", *QUICK, "--threshold"]
    assert run(monkeypatch, *arguments, "action.steer.mae<2", "mode.braking_share<=0") == 0
    assert "holds: action.steer.mae<2, found 0." in capsys.readouterr().out
    assert run(monkeypatch, *arguments, "action.steer.mae<2", "mode.driving_share<0.5") == 1
    printed = capsys.readouterr()
    assert printed.err.strip() == "FAILS: mode.driving_share<0.5, found 1"
    assert run(monkeypatch, *arguments, "uncertainty.epistemic<1000") == 1
    assert "FAILS: uncertainty.epistemic<1000, found not known" in capsys.readouterr().err
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["passed"] is False and result["bag"]["frames"] == 30
    assert result["thresholds"] == [{"threshold": "uncertainty.epistemic<1000", "value": None, "holds": False}]


def test_a_bundle_that_brakes_all_the_time_is_said_to_in_the_first_line_and_fails_unless_asked_otherwise(
    tmp_path, monkeypatch, capsys, raw_bag
):
    scared = make_tiny_bundle(tmp_path / "scared", model_id="scared", surprise_threshold=1e-6)
    arguments = [raw_bag, "--bundle", scared, "--output", tmp_path / "out", "--frames", "30", *QUICK]
    assert run(monkeypatch, *arguments) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("scared: the threshold mode.braking_share<=0.5 fails; because it braked in ")
    assert printed.err.startswith("FAILS: mode.braking_share<=0.5 (the default), found ")
    assert run(monkeypatch, *arguments, "--threshold", "mode.braking_share<=1") == 0
    assert capsys.readouterr().out.startswith("scared: the threshold mode.braking_share<=1 holds; doubtful: it braked")


def broken_bundle(folder, bundle):
    made = make_tiny_bundle(folder / "broken")
    damage(made, "observe.onnx")
    return made


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda t, b: ["--threshold", "steer.mae<1"], 2, "no figure 'steer.mae'; did you mean action.steer.mae"),
        (lambda t, b: ["--set", "solver=actor", "solver=cem"], 2, "every parameter once"),
        (lambda t, b: ["--bundle", t / "nowhere"], 4, "nowhere"),
        (lambda t, b: ["--bundle", broken_bundle(t, b)], 4, "observe.onnx"),
        (lambda t, b: ["--baseline", make_tiny_bundle(t / "slow", control_period_s=0.2)], 3, "one every 0.2 s"),
    ],
)
def test_what_cannot_be_used_ends_with_one_line_its_exit_code_and_no_files(
    tmp_path, monkeypatch, capsys, bundle, raw_bag, change, code, message
):
    out = tmp_path / "out"
    arguments = [raw_bag, "--bundle", bundle, "--output", out, "--frames", "20", *QUICK, *change(tmp_path, bundle)]
    try:
        found = run(monkeypatch, *arguments)
    except SystemExit as ending:
        found = ending.code
    printed = capsys.readouterr().err.strip()
    assert found == code and message in printed and "\n" not in printed and printed.startswith("evaluate_bag: ")
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stride", "0"], "--stride: expected 1 to 10000, found 0"),
        (["--segment", "nan"], "--segment: expected seconds above 0"),
        (["--set", "deadline_ms=5"], "expected NAME=VALUE with NAME one of"),
        (["--set", "candidates=4"], "the planner refuses: parameter candidates"),
        (["--threshold", "action.steer.mae"], "expected NAME<VALUE"),
        (["--baseline", "b"], "bundles other than --bundle"),
        (["--output", __file__], "expected a folder, found the file"),
    ],
)
def test_wrong_usage_is_told_in_one_line_with_exit_code_2(capsys, arguments, message):
    given = ["bag", "--bundle", "b", *arguments]
    with pytest.raises(SystemExit) as ending:
        parse(EvaluateOptions, "evaluate_bag", given if "--output" in arguments else [*given, "--output", "o"])
    printed = capsys.readouterr().err.strip()
    assert ending.value.code == 2 and message in printed and "\n" not in printed


def test_list_metrics_prints_every_figure_that_a_result_has(twice, monkeypatch, capsys):
    assert run(monkeypatch, "--list-metrics") == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    of_result = json.loads((twice[0] / "result.json").read_text())["bundles"][0]["figures"]
    assert {name for name in of_result if not name.startswith("open_loop.")} <= listed
    assert "open_loop.psnr_db.imagined.5" in listed


def test_several_recordings_are_one_evaluation_and_frames_bounds_it(options, bundle, tmp_path):
    from wm_tools.evaluate_bag.run import evaluate

    for number in range(3):
        write_episode(tmp_path / "npz" / f"{number}.npz", make_episode(40, seed=number))
    found = evaluate(options(bag=tmp_path / "npz", frames=65))
    frames = found.evaluations[0].frames
    assert frames.place.drive.tolist() == [0] * 40 + [1] * 25 and frames.place.row[40] == 0
    assert (
        frames.place.segment.tolist() == [0] * 25 + [1] * 15 + [2] * 25
    )  # 3.12 s are two segments of 2 s, 1.92 s are one
    assert found.bag["frames"] == 65 and found.bag["seconds"] == pytest.approx(65 * 0.08)


def is_reading(pid: int, bag: Path) -> bool:
    """Whether a process has a file of the bag open."""
    for link in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):  # closed meanwhile
            if bag in link.readlink().parents:
                return True
    return False


def test_a_run_that_is_interrupted_leaves_nothing_behind(tmp_path, bundle):
    bag = write_bag(tmp_path / "long", drive(600, 80_000_000, height=96, width=96))
    command = [
        sys.executable,
        "-m",
        "wm_tools.evaluate_bag",
        str(bag),
        "--bundle",
        str(bundle),
        "--output",
        str(tmp_path / "out"),
        "--set",
        "candidates=1024",
        "iterations=4",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60.0
    while not is_reading(process.pid, bag):  # a whole evaluation takes minutes
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert errors.strip().splitlines()[-1].startswith("evaluate_bag: stopped by SIGTERM")
    assert not (tmp_path / "out").exists()


def test_the_defaults_are_those_of_the_documentation():
    options = parse(EvaluateOptions, "evaluate_bag", ["bag", "--bundle", "b", "--output", "o"])
    assert options == EvaluateOptions(options.bag, options.bundle, options.output)
    assert (options.stride, options.steps, options.samples, options.segment_s) == (5, 25, 8, 10.0)

"""bag_replay.launch.py: a recorded drive through the running planner, judged against the evaluation of the same bag."""

import json
import shutil

import graph
import pytest
import rclpy
from fixtures_rosbag import CAMERA
from rclpy.qos import QoSProfile
from recorded_drive import PATIENT, START_S, record_drive
from sensor_msgs.msg import Image
from tiny_bundle import make_tiny_bundle

LATE_IS_NO_FAULT = "parameters:=candidates=16 " + " ".join(entry.replace(":=", "=") for entry in PATIENT)

END_S = 240.0


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """(the bag, the bundle)"""
    folder = tmp_path_factory.mktemp("drive")
    bundle = make_tiny_bundle(folder / "bundle")
    record_drive(folder / "drive.mcap", bundle, 3.0)
    return folder / "drive.mcap", bundle


def replay(drive, output, *arguments: str, domain_id: int | None = None) -> graph.GraphProcess:
    bag, bundle = drive
    command = [
        shutil.which("ros2"),
        "launch",
        "wm_planner",
        "bag_replay.launch.py",
        f"bag:={bag}",
        f"bundle:={bundle}",
        f"output:={output}",
        LATE_IS_NO_FAULT,
        *arguments,
    ]
    return graph.GraphProcess(command, domain_id=domain_id or graph.fresh_domain_id())


@pytest.fixture(scope="module")
def replayed(drive, tmp_path_factory):
    """The folder of a replay at half the pace of the recording, with its evaluation."""
    output = tmp_path_factory.mktemp("replay")
    # A machine that stands still for more than a period drops frames, and only then.
    with replay(drive, output, "rate:=0.5", "threshold:=dropped_share<0.2 agreement.share>0.8") as process:
        assert process.wait(END_S) == 0, process.output()
        assert "Traceback" not in process.output()
        # The planner rests while the bag is evaluated: it would warn of the silence.
        lines = process.output().splitlines()
        resting = next(index for index, line in enumerate(lines) if "inactive: deactivated" in line)
        assert resting < next(index for index, line in enumerate(lines) if "evaluating the bag" in line)
    return output


def test_a_replay_without_loss_commands_what_the_evaluation_says(replayed):
    result = json.loads((replayed / "replay.json").read_text())
    frames, agreement = result["frames"], result["agreement"]
    assert frames["played"] > 20 and frames["seen_by_monitor"] == frames["played"]
    assert result["passed"] and len(result["thresholds"]) == 2
    assert set(agreement["causes"]) <= {"mode", "after a drop"}  # the search was told to take its time
    if result["figures"]["dropped"] == 0:
        assert result["figures"]["agreement.share"] == 1.0
        assert agreement["largest_difference"] <= 1e-6
    # The last frame is no row of the converted drive, and an evaluation has a frame for each row.
    assert 0 <= agreement["only_live"] <= 2
    assert 0.0 < result["figures"]["planner_latency_ms.p50"] <= result["figures"]["planner_latency_ms.p99"]
    assert 0.0 < result["figures"]["latency_ms.p50"]
    lines = (replayed / "replay.jsonl").read_text().splitlines()
    assert len(lines) == frames["played"]
    assert (replayed / "report.html").stat().st_size > 10_000
    assert (replayed / "evaluation" / "result.jsonl").is_file()


def test_a_threshold_that_fails_is_exit_code_1_at_five_times_the_pace(drive, replayed, tmp_path):
    with replay(
        drive,
        tmp_path,
        "rate:=5",
        f"evaluation:={replayed / 'evaluation'}",
        "threshold:=latency_ms.p50<0.001 dropped<10000",
    ) as process:
        assert process.wait(END_S) == 1, process.output()
        assert "latency_ms.p50<0.001 does not hold: found" in process.output()
    result = json.loads((tmp_path / "replay.json").read_text())
    assert [entry["holds"] for entry in result["thresholds"]] == [False, True]
    assert result["rate"] == 5.0 and result["frames"]["answered"] > 0


def test_a_bag_without_the_planners_camera_ends_the_launch_with_one_message(drive, tmp_path):
    with replay(drive, tmp_path, "role_name:=hero") as process:
        assert process.wait(END_S) == 3, process.output()
        assert "where the planner listens; its pictures are on" in process.output()
        assert "Traceback" not in process.output()
    assert list(tmp_path.iterdir()) == []


def test_no_bag_is_played_beside_a_live_camera(drive, tmp_path):
    domain = graph.fresh_domain_id()
    with graph.rclpy_context(domain) as context:
        camera = rclpy.create_node("camera", context=context)
        camera.create_publisher(Image, CAMERA, QoSProfile(depth=1))
        with replay(drive, tmp_path, domain_id=domain) as process:
            process.wait_for_output("would drive its vehicle from a recording", START_S)
            assert process.wait(START_S) == 3, process.output()
        camera.destroy_node()


def test_an_argument_that_cannot_be_used_ends_the_launch_at_once(drive, tmp_path):
    with replay(drive, tmp_path, "rate:=0.01") as process:
        assert process.wait(START_S) not in (0, None)
        assert "rate:=0.01: expected 0.2 to 20" in process.output() and "Traceback" not in process.output()

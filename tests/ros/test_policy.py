"""A policy file on real graphs: the node drives with it, and the benchmark compares it with the bundle's planner."""

import json
import sys
from pathlib import Path

import graph
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile
from test_planner import CAMERA, START_S, Observer, stamp_s
from tiny_bundle import make_tiny_bundle
from tiny_policy import make_tiny_policy
from wm_planner.engine.policy import read_policy

STEPS = 15
TICKS = 30
FREE = ("steer_slew:=2.0", "longitudinal_slew:=2.0")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("ros_policy") / "bundle")


def node(domain: int, bundle: Path, *parameters: str) -> graph.GraphProcess:
    words = [word for parameter in (f"bundle:={bundle}", "autostart:=true", *parameters) for word in ("-p", parameter)]
    return graph.start("wm_planner", "planner", "--ros-args", *words, domain_id=domain)


def test_the_node_commands_what_the_policy_says_of_image_speed_and_last_command(bundle, tmp_path):
    # The camera process drives at 5 m/s and, with odometry, tells no command: the one sent last is the one applied.
    file = make_tiny_policy(tmp_path / "clone.onnx", (-0.25, 0.1, 0.0), of_speed=(0.0, 0.04, 0.0), of_previous=-0.5)
    domain = graph.fresh_domain_id()
    with graph.rclpy_context(domain) as context:
        observer, reports = Observer(context), []
        observer.node.create_subscription(DiagnosticArray, "/diagnostics", reports.append, QoSProfile(depth=10))
        settings = (
            "solver:=policy",
            f"proposal_policy:={file}",
            "deadline_ms:=900.0",
            "deadline_frames:=0",
            "image_timeout_s:=5.0",
            *FREE,
        )
        with node(domain, bundle, *settings) as planner:
            observer.until_known()
            camera = [sys.executable, str(CAMERA), "--ticks", str(TICKS), "--speed", "odometry"]
            with graph.GraphProcess(camera, domain_id=domain) as images:
                observer.until(lambda: "done" in images.output(), START_S)
            observer.until(lambda: observer.answered() == list(range(1, TICKS + 1)))
            observer.until(lambda: reports)
            assert planner.stop() == 0, planner.output()
        steer, throttle = 0.0, 0.0
        for _, command in observer.commands:
            if stamp_s(command) > 0.0:
                steer, throttle = -0.25 - 0.5 * steer, 0.1 + 0.2 - 0.5 * throttle
                said = command.steer, command.throttle, command.brake
                assert said == pytest.approx((steer, throttle, 0.0), abs=1e-5)
        answers = [status for _, status in observer.statuses if stamp_s(status) > 0.0]
        assert {(status.candidates, status.iterations) for status in answers} == {(1, 1)}
        policy_id = read_policy(file).manifest.policy_id
        (engine,) = [line for line in reports[-1].status if line.name == "wm_planner: engine"]
        assert {entry.key: entry.value for entry in engine.values}["policy"] == policy_id
        observer.executor.shutdown()
        observer.node.destroy_node()


def test_a_policy_for_another_bundle_ends_the_node_with_what_it_expected_and_found(bundle, tmp_path):
    file = make_tiny_policy(tmp_path / "clone.onnx", control_period_s=0.1)
    with node(graph.fresh_domain_id(), bundle, f"proposal_policy:={file}") as planner:
        assert planner.wait(START_S) == 2
        said = planner.output()
    assert "clone.onnx: expected the period of bundle tiny-test: 0.08 s, found 0.1 s" in said
    assert "Traceback" not in said


def test_the_benchmark_pairs_a_policy_with_the_planner_by_track_and_names_it(bundle, tmp_path):
    # Straight on at half throttle, which the untrained actor never does.
    file = make_tiny_policy(tmp_path / "clone.onnx", (0.0, 0.5, 0.0))
    output, policy_id = tmp_path / "out", read_policy(file).manifest.policy_id
    words = (
        "--bundle",
        str(bundle),
        "--output",
        str(output),
        "--controllers",
        f"actor,clone={file}",
        "--seeds",
        "3000",
        "--modes",
        "lock-step",
        "--max-steps",
        str(STEPS),
        "--workers",  # so that the lines are in the order of the plan
        "1",
    )

    def run(*more: str) -> tuple[int, str]:
        with graph.start("wm_planner", "benchmark", *words, *more, domain_id=graph.fresh_domain_id()) as benchmark:
            return benchmark.wait(200.0), benchmark.output()

    code, said = run()
    assert code == 0 and "2 of 2 episodes, 0 failed" in said, said
    episodes = [json.loads(line) for line in (output / "episodes.jsonl").read_text().splitlines()[1:]]
    actor, clone = episodes
    named = [(episode["controller"], episode["policy"]) for episode in episodes]
    assert named == [("actor", None), ("clone", policy_id)]
    assert clone["distance_m"] > actor["distance_m"] + 1.0
    summary = json.loads((output / "benchmark.json").read_text())
    (pair,) = summary["comparisons"]
    assert (pair["first"], pair["second"], pair["n"]) == ("actor", "clone", 1)
    assert pair["mean"] == pytest.approx(actor["score"] - clone["score"])
    assert [group["policy"] for group in summary["groups"]] == [None, policy_id]
    make_tiny_policy(file, (0.1, 0.5, 0.0))
    code, said = run("--resume")
    assert code == 3 and "is a benchmark with other settings: controllers was" in said and policy_id in said

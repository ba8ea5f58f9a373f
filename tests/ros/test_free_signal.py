"""A free signal in a real graph, and the same when it falls silent: a model that needs it brakes, another drives on."""

import time
from pathlib import Path

import graph
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from failsafe_rig import Rig, start_planner
from rclpy.qos import QoSProfile
from std_msgs.msg import Float32
from tiny_bundle import make_tiny_bundle, tiny_model
from wm_bundle import VectorSpec, load_bundle, write_bundle
from wm_msgs.msg import PlannerStatus
from wm_training.exporting.graphs import export_graphs

TOPIC = "/my/sensor"


def battery_bundle(folder: Path, gaps: bool) -> Path:
    """A tiny bundle whose only number is a battery's voltage; ``gaps``: of a model that can do without it."""
    spec = VectorSpec("battery", "V", 0.0, 1.0, gaps=gaps, source=f"std_msgs/msg/Float32 {TOPIC} data factor=0.5")
    manifest = load_bundle(make_tiny_bundle(folder / "plain", vector=(spec,), imagines_vector=True)).manifest
    files = export_graphs(tiny_model(gaps=(0,) if gaps else ()), folder)
    return write_bundle(folder / "bundle", manifest, files).path


@pytest.mark.parametrize("gaps", [False, True], ids=["needed", "masked"])
def test_a_signal_that_disappears_while_driving_brakes_or_is_masked_as_the_model_was_trained(tmp_path, gaps):
    bundle, domain, lines = battery_bundle(tmp_path, gaps), graph.fresh_domain_id(), []
    with graph.rclpy_context(domain) as context, start_planner(domain, bundle) as planner:
        rig = Rig(context)
        sensor = rig.node.create_publisher(Float32, TOPIC, QoSProfile(depth=10))
        rig.node.create_timer(0.05, lambda: sensor.publish(Float32(data=24.0)))
        rig.node.create_subscription(DiagnosticArray, "/diagnostics", lambda told: lines.extend(told.status), 10)

        def newest(count: int = 5) -> list[PlannerStatus]:
            return [status for _, status in rig.statuses[-count:]]

        def drives() -> bool:
            return len(rig.statuses) > 5 and all(one.mode == PlannerStatus.MODE_DRIVING for one in newest())

        def signals_line():
            return next((line for line in reversed(lines) if line.name == "wm_planner: signals"), None)

        rig.until(drives, timeout_s=40.0)
        assert (signals_line() is not None) == gaps or not lines
        gone_s = time.monotonic()
        rig.node.destroy_publisher(sensor)
        for timer in list(rig.node.timers):
            rig.node.destroy_timer(timer)
        if gaps:
            rig.until(lambda: (line := signals_line()) is not None and line.level == DiagnosticStatus.WARN)
            assert "the model drives without battery" in signals_line().message
            rig.run_for(1.0)
            assert drives()
            assert "driving without what the model can do without: no /my/sensor" in planner.output()
        else:
            rig.until(lambda: newest(1)[0].mode == PlannerStatus.MODE_BRAKING, timeout_s=5.0)
            took_s = next(at_s for at_s, one in rig.statuses[::-1] if one.mode != PlannerStatus.MODE_BRAKING) - gone_s
            print(f"the last command that drove came {1000 * took_s:.0f} ms after the sensor was gone")
            assert took_s < 2.0  # it holds for 0.5 s
            assert "so no battery, which the bundle needs" in newest(1)[0].reason
            assert rig.commands[-1][1].brake == 1.0
        rig.close()

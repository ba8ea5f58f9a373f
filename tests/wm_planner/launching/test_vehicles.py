"""The vehicles of docs/vehicle.md are what the nodes take."""

import re
from pathlib import Path

import pytest
from wm_bundle.vehicle_commands.messages import CommandOutput
from wm_planner.command_watchdog.node import WatchdogConfig
from wm_planner.config import PlannerConfig
from wm_planner.launching.simulators import node_parameters

TEXT = (Path(__file__).parents[3] / "docs/vehicle.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_accepted_by_planner_and_watchdog(tmp_path, monkeypatch, example):
    monkeypatch.setattr(CommandOutput, "message_class", property(lambda output: object))  # Autoware's is not installed
    file = tmp_path / "vehicle.yaml"
    file.write_text(example)
    parameters = node_parameters("none", "mine", str(file))
    config = PlannerConfig.from_values(parameters["wm_planner"] | {"role_name": "mine"})
    WatchdogConfig.from_values(parameters["wm_command_watchdog"] | {"role_name": "mine"})
    assert config.command_output == "carla" or config.max_speed > 0.0


def test_every_message_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \| [a-z_]+_msgs/", TEXT, re.MULTILINE)
    assert rows == ["carla", "ackermann", "ackermann_stamped", "twist", "twist_stamped", "autoware"]
    assert len(EXAMPLES) == 4

"""The RViz and Foxglove layouts show what there is, and the document on topics names everything the nodes use."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml
from ament_index_python.packages import get_package_share_directory
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from wm_msgs.msg import ImaginedRollouts, PlannerStatus, StepResult
from wm_planner.config import PlannerConfig

CONFIG = Path(get_package_share_directory("wm_planner"), "config")
TOPICS = (Path(__file__).parents[3] / "docs" / "topics.md").read_text()
# Of the topics whose fields are plotted.
MESSAGES = {
    "/carla/ego_vehicle/planner/status": PlannerStatus,
    "/carla/ego_vehicle/planner/imagined": ImaginedRollouts,
    "/carla/ego_vehicle/vehicle_control_cmd": CarlaEgoVehicleControl,
    "/carla/ego_vehicle/vehicle_status": CarlaEgoVehicleStatus,
    "/carla/ego_vehicle/step_result": StepResult,
}
# Every topic in the document's tables: the first column, in full.
DOCUMENTED = set(re.findall(r"^\| `(/[^`]*)` \|", TOPICS, re.M))


def texts(value) -> list[str]:
    """All strings in parsed YAML or JSON."""
    if isinstance(value, dict):
        return [text for key, entry in value.items() for text in (str(key), *texts(entry))]
    if isinstance(value, list):
        return [text for entry in value for text in texts(entry)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name, read", [("planner.rviz", yaml.safe_load), ("planner.foxglove.json", json.loads)])
def test_layouts_name_only_documented_topics_and_fields_that_exist(name, read):
    layout = read((CONFIG / name).read_text())
    paths = [text for text in texts(layout) if text.startswith("/")]
    assert len(paths) >= 3
    for path in paths:
        topic, _, message_field = path.partition(".")
        assert topic in DOCUMENTED, path
        if message_field:
            assert message_field.removesuffix("[:]") in MESSAGES[topic].get_fields_and_field_types(), path


def test_every_panel_of_the_foxglove_layout_is_set_up():
    layout = json.loads((CONFIG / "planner.foxglove.json").read_text())
    places = [text for text in texts(layout["layout"]) if "!" in text]
    assert sorted(places) == sorted(layout["configById"])


def test_the_foxglove_layout_names_every_mode():
    layout = json.loads((CONFIG / "planner.foxglove.json").read_text())
    named = {int(rule["rawValue"]): rule["label"] for rule in layout["configById"]["Indicator!mode"]["rules"]}
    modes = {name: getattr(PlannerStatus, name) for name in dir(PlannerStatus) if name.startswith("MODE_")}
    assert named == {number: name.removeprefix("MODE_").lower() for name, number in modes.items()}


def test_every_topic_parameter_is_documented():
    names = [entry.name for entry in dataclasses.fields(PlannerConfig) if entry.name.endswith("_topic")]
    assert len(names) >= 10
    assert [name for name in names if f"`{name}`" not in TOPICS] == []

"""Which processes get large shared memory for their pictures, and when none does."""

import shutil
import xml.etree.ElementTree as ElementTree
from collections import namedtuple
from pathlib import Path

import pytest
from wm_bundle.processes.ros_distribution import dds_profiles_variable
from wm_planner.launching.transport import PROFILE, SEGMENT_BYTES, picture_transport

ROOT = Path(__file__).parents[3]
FILE = ROOT / PROFILE
SPACES = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"


def test_where_nobody_chose_one_the_variable_names_the_profile():
    variables = picture_transport({"ROS_DOMAIN_ID": "7", "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp"})
    assert variables == picture_transport({}) and list(variables) == [dds_profiles_variable()]
    assert Path(variables[dds_profiles_variable()]).resolve() == FILE


@pytest.mark.parametrize(
    "choice",
    [
        {dds_profiles_variable(): "mine.xml"},
        {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"},
        {"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"},
    ],
)
def test_a_choice_of_the_user_is_left_alone(choice):
    assert picture_transport(choice) == {}


def test_an_empty_choice_is_none():
    assert picture_transport({"RMW_IMPLEMENTATION": "", dds_profiles_variable(): ""}) == picture_transport({}) != {}


def test_without_room_it_says_what_to_do(monkeypatch, capsys, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(64 << 20, 44 << 20, 20 << 20))
    assert picture_transport({}, tmp_path) == {}
    assert "21 MB left, pictures need 38 MB" in (said := capsys.readouterr().err) and "--ipc=host" in said


def test_the_profile_adds_a_segment_and_changes_nothing_else():
    root = ElementTree.parse(FILE).getroot()
    (transport,) = root.iter(f"{SPACES}transport_descriptor")
    assert transport.findtext(f"{SPACES}type") == "SHM"
    assert int(transport.findtext(f"{SPACES}segment_size")) == SEGMENT_BYTES
    assert SEGMENT_BYTES > 6 * 800 * 600 * 4  # six cameras of the common size, bgra8: 11.5 MB
    (rtps,) = root.iter(f"{SPACES}rtps")
    # No other element: the network's transports and the discovery range are ROS's own.
    assert [child.tag for child in rtps] == [f"{SPACES}userTransports"]

"""The linters that `colcon test` runs; docs/ros_packages.md tells which of ament's rules are followed."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "ros2_ws/src"
PACKAGES = sorted(path.parent.name for path in SOURCE.glob("*/package.xml"))
# The order that the schema of package.xml, format 3, has its elements in; the dependencies are free among each other.
ORDER = ("name", "version", "description", "maintainer", "license", "url", "author", "depends", "export")
DEPENDENCIES = {"buildtool_depend", "build_depend", "exec_depend", "depend", "test_depend", "member_of_group"}


@pytest.mark.parametrize(
    "check", [("check", "--output-format", "concise"), ("format", "--check")], ids=["lint", "format"]
)
def test_ruff_finds_nothing(check):
    done = subprocess.run([sys.executable, "-m", "ruff", *check, ROOT], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_package_xml_has_the_schema_s_elements_in_the_schema_s_order(package):
    path = SOURCE / package / "package.xml"
    assert "package_format3.xsd" in path.read_text().splitlines()[1]
    tags = [element.tag for element in ElementTree.parse(path).getroot()]
    places = [ORDER.index("depends" if tag in DEPENDENCIES else tag) for tag in tags]
    assert places == sorted(places)
    assert {"name", "version", "description", "maintainer", "license", "export"} <= set(tags)


@pytest.mark.parametrize("package", PACKAGES)
def test_dependencies_are_in_order_and_named_once(package):
    root = ElementTree.parse(SOURCE / package / "package.xml").getroot()
    named = [(element.tag, element.text) for element in root if element.tag in DEPENDENCIES - {"member_of_group"}]
    assert len(set(named)) == len(named)
    for tag in {tag for tag, _ in named}:
        # ROS packages first, then what rosdep installs.
        keys = [(text.startswith("python3-"), text) for kind, text in named if kind == tag]
        assert keys == sorted(keys), tag


def test_the_license_of_the_packages_lies_beside_them():
    assert "Apache License" in (ROOT / "LICENSE").read_text().splitlines()[1]
    for package in PACKAGES:
        assert ElementTree.parse(SOURCE / package / "package.xml").findtext("license") == "Apache-2.0"

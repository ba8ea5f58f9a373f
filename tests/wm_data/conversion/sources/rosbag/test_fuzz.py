"""Damaged bags end in episodes or in a ConversionError, never in another exception."""

import math
import random

import pytest
from fixtures_rosbag import drive, write_bag, write_bare_mcap, write_old_sqlite3, write_ros1_bag
from rosbag_conversion import options
from route_recordings import drive_along, poses, waypoints
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.sources.rosbag import find_drives, open_drive
from wm_data.errors import ConversionError


def mutated(data: bytes, seed: int) -> bytes:
    """Some bytes changed, cut out, doubled or cut off, or a number made huge."""
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(max(1, len(changed)))
        length = chance.choice((1, 1, 2, 4, 8, 100))
        kind = chance.randrange(5)
        if kind == 0:
            changed[at : at + length] = bytes(chance.randrange(256) for _ in range(length))
        elif kind == 1:
            changed[at : at + length] = chance.choice((b"\x00", b"\xff", b"\x7f")) * length
        elif kind == 2:
            del changed[at : at + length]
        elif kind == 3:
            changed[at:at] = changed[at : at + length]
        elif chance.random() < 0.1:
            del changed[at:]
        else:
            changed[at : at + 1] = bytes(byte ^ 1 << chance.randrange(8) for byte in changed[at : at + 1])
    return bytes(changed)


def outcome(source, recover: bool, **values) -> str:
    """Reads everything, as `convert` does."""
    settings = options(source, recover=recover, **values)
    try:
        for ref in find_drives(settings):
            with open_drive(ref, settings) as opened:
                for _ in episodes_of_drive(opened, settings):
                    pass
    except ConversionError as error:
        assert str(error) and "\n" not in str(error)
        return "refused"
    return "read"


def make(folder, kind: str):
    """A small bag and the file in it that is damaged."""
    recording = drive(ticks=6, height=4, width=4)
    if kind == "metadata.yaml":
        bag = write_bag(folder / "bag", recording)
        return bag, bag / "metadata.yaml"
    if kind == "mcap":
        path = write_bare_mcap(folder / "bag.mcap", recording)
    elif kind == "compressed mcap":
        bag = write_bag(folder / "bag", recording, "mcap", "storage")
        return bag, bag / "bag.mcap"
    elif kind == "db3":
        path = write_old_sqlite3(folder / "bag.db3", recording)
    elif kind == "db3 with definitions":
        bag = write_bag(folder / "bag", recording, "sqlite3")
        return bag, bag / "bag.db3"
    else:
        path = write_ros1_bag(folder / "bag.bag", recording)
    return path, path


KINDS = ("mcap", "compressed mcap", "db3", "db3 with definitions", "ROS 1", "metadata.yaml")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_bag_is_read_or_refused_whatever_is_damaged(tmp_path, kind):
    source, file = make(tmp_path, kind)
    whole = file.read_bytes()
    assert outcome(source, recover=False) == "read"
    outcomes = set()
    for seed in range(40):
        file.write_bytes(mutated(whole, seed))
        outcomes.add(outcome(source, recover=bool(seed % 2)))
    assert "refused" in outcomes  # the damage does something


def test_a_damaged_path_or_route_is_read_or_refused_whatever_is_damaged(tmp_path):
    path = poses(24)
    source = write_bare_mcap(tmp_path / "bag.mcap", drive_along(path, waypoints(path[::6, :2]), waypoints(path[:, :2])))
    whole = source.read_bytes()
    assert outcome(source, recover=True, route="auto") == "read"
    outcomes = set()
    for seed in range(60):
        source.write_bytes(mutated(whole, seed))
        outcomes.add(outcome(source, recover=True, route=("auto", "recorded", "hindsight")[seed % 3]))
    assert outcomes <= {"read", "refused"} and "read" in outcomes


@pytest.mark.parametrize("number", [math.nan, math.inf, 1e300, -1e12, 0.0])
@pytest.mark.parametrize("what", ["positions", "one position", "routes"])
def test_numbers_that_are_no_places_make_no_route_and_no_fault(tmp_path, number, what):
    path = poses(60)
    route = waypoints([(0, 0), (50, number if what == "routes" else 0)])
    if what == "positions":
        path[:, 0] = number
    if what == "one position":
        path[30, 1] = number
    bag = write_bag(tmp_path / "bag", drive_along(path, route))
    for kind in ("auto", "recorded", "hindsight"):
        assert outcome(bag, recover=False, route=kind) in ("read", "refused")

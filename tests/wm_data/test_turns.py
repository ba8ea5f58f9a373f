"""`convert` and `inspect` tell a yaw rate that disagrees with the steering, before anything is trained on it."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures_rosbag import CAMERA, VEHICLE, Recording, control, image, stamped, write_bag
from make_episodes import META, make_episode
from rosbag_conversion import options
from town_drive import PERIOD_S, town
from wm_bundle.turn_check import Turn, TurnCheck
from wm_data.conversion.running.unit import convert_unit
from wm_data.conversion.sources.rosbag import find_drives
from wm_data.episodes import write_episode
from wm_data.inspection import facts
from wm_data.inspection.survey import survey
from wm_data.turns import add_turns

VECTOR = [{"name": "speed", "unit": "m/s"}, {"name": "yaw_rate", "unit": "rad/s"}]


def episode(turns: int, factor: float = 1.0, seed: int = 0, **meta):
    """Rows of a drive: the action of a row acts until the next one."""
    numbers = np.array(list(town(turns, seed)), np.float32)
    made = make_episode(len(numbers), size=8)
    actions = np.zeros((len(numbers), 3), np.float32)
    actions[:-1, 0] = numbers[1:, 0]
    vector = numbers[:, 1:] * np.array([1.0, factor], np.float32)
    return replace(made, actions=actions, vector=vector, meta={**META, "vector": VECTOR, **meta})


@pytest.mark.parametrize("stamped", [True, False])
@pytest.mark.parametrize(("factor", "fault"), [(1.0, None), (-1.0, Turn.AGAINST), (57.3, Turn.TOO_LARGE)])
def test_an_episodes_turns_are_judged_with_and_without_stamps(factor, fault, stamped):
    check, made = TurnCheck(), episode(13, factor)
    add_turns(check, made if stamped else replace(made, stamps_ns=None))
    assert check.fault is fault


def test_actions_that_were_derived_from_the_yaw_rate_say_nothing_of_it():
    check = TurnCheck()
    add_turns(check, episode(13, -1.0, action_source="derived"))
    add_turns(check, make_episode(60))  # has no yaw rate
    assert check.told == "no turn yet"


def test_inspect_adds_up_the_turns_of_short_episodes_and_names_one_of_them(tmp_path):
    for factor in (1.0, -1.0):
        files = [write_episode(tmp_path / f"{factor}_{n:02d}.npz", episode(2, factor, seed=n)) for n in range(12)]
        problems = facts.problems(survey(dict.fromkeys(files, "train"), 0), 10)
        told = [text for _, text in problems if "against the steering" in text]
        assert len(told) == (factor < 0)


@pytest.mark.parametrize(("factor", "noted"), [(1.0, False), (-1.0, True)])
def test_convert_notes_it_and_its_factor_corrects_it(tmp_path, factor, noted):
    recording = Recording()
    for tick, (steer, speed, yaw_rate) in enumerate(town(13)):
        stamp = 1_000_000_000 + round(tick * PERIOD_S * 1e9)
        applied = {"header": stamped(stamp), "velocity": speed, "control": control(steer, stamp_ns=stamp)}
        recording.add(f"{VEHICLE}/vehicle_status", "carla_msgs/msg/CarlaEgoVehicleStatus", stamp, **applied)
        turning = {"header": stamped(stamp), "angular_velocity": {"z": -yaw_rate}}  # as CARLA's own of 0.9.16
        recording.add(f"{VEHICLE}/imu", "sensor_msgs/msg/Imu", stamp, **turning)
        picture = image(stamp, np.full((8, 8, 4), tick % 256, np.uint8))
        recording.add(CAMERA, "sensor_msgs/msg/Image", stamp, **picture)
    source = write_bag(tmp_path / "bag", recording)
    settings = replace(options(source, yaw_rate_factor=-factor), dest=str(tmp_path))
    (ref,) = find_drives(settings)
    record = convert_unit(ref, settings)
    assert record["error"] is None
    assert any("multiply yaw_rate_factor by -1" in note for note in record["report"]["notes"]) == noted

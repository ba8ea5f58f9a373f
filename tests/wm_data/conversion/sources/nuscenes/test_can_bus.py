import json
import math

import numpy as np
import pytest
from fixtures_nuscenes import SceneSpec, edit_messages, start_us, write_dataset
from nuscenes_conversion import convert, milliseconds
from wm_data.conversion.sources.nuscenes.can_bus import steering_ratio
from wm_data.errors import ConversionError


def weaving(time: float) -> float:
    return 0.2 * math.sin(3.0 * time)


def test_an_impulse_on_the_pedals_is_the_action_of_the_picture_it_followed(tmp_path):
    """Full throttle from picture 5 to 6 and full brake from 12 to 13, and the speed that follows from them."""

    def within(k, t):
        return 0.1 * k - 1e-6 <= t < 0.1 * (k + 1) - 1e-6

    def speed(t):
        return 5.0 + 4.0 * min(max(t - 0.5, 0.0), 0.1) - 8.0 * min(max(t - 1.2, 0.0), 0.1)

    write_dataset(
        tmp_path,
        (SceneSpec(speed=speed, throttle=lambda t: float(within(5, t)), brake=lambda t: float(within(12, t))),),
    )
    (episode,), _ = convert(tmp_path)
    assert episode.meta["action_source"] == "can_bus" and episode.meta["motion_source"] == "can_bus.pose"
    np.testing.assert_allclose(episode.actions[:, 1], np.arange(19) == 5, atol=1e-6)
    np.testing.assert_allclose(episode.actions[:, 2], np.arange(19) == 12, atol=1e-6)
    changes = np.diff(episode.vector[:, 0])
    assert np.flatnonzero(np.abs(changes) > 0.1).tolist() == [5, 12]
    np.testing.assert_allclose(changes[[5, 12]], [0.4, -0.8], rtol=1e-5)


def test_can_steering_and_derived_steering_mean_the_same_angle(tmp_path):
    write_dataset(tmp_path, (SceneSpec(seconds=3.0, ratio=14.2, yaw_rate=weaving),))
    (can,), report = convert(tmp_path)
    (derived,), _ = convert(tmp_path, actions="derived")
    assert can.meta["steering_ratio"] == pytest.approx(14.2, abs=0.01) and can.meta["steering_ratio_fitted"]
    assert any(note.startswith("steering ratio 14.20: fitted to") for note in report.notes)
    turning_left = 5  # at 0.5 s the yaw rate is 0.2 rad/s
    assert milliseconds(can)[turning_left] == 500 and can.actions[turning_left, 0] < -0.07
    # Derived ones are half a picture late, as speed and yaw rate are means since the picture before.
    np.testing.assert_allclose(can.actions[1:, 0], derived.actions[:, 0], atol=0.02)


def test_the_ratio_is_fitted_over_the_scenes_of_the_log_and_of_no_other(tmp_path):
    straight = SceneSpec("scene-0001", ratio=16.0)
    write_dataset(
        tmp_path,
        (
            straight,
            SceneSpec("scene-0002", ratio=16.0, yaw_rate=weaving),
            SceneSpec("scene-0003", ratio=12.0, yaw_rate=weaving, log="n008"),
        ),
    )
    assert convert(tmp_path, "scene-0001")[0][0].meta["steering_ratio"] == pytest.approx(16.0, abs=0.02)
    assert convert(tmp_path, "scene-0003")[0][0].meta["steering_ratio"] == pytest.approx(12.0, abs=0.02)


@pytest.mark.parametrize(
    "scene, reason",
    [
        (SceneSpec(), "drives too straight"),
        (SceneSpec(speed=lambda t: 1.0, yaw_rate=weaving), "0 samples above 3 m/s"),
        (SceneSpec(ratio=-15.0, yaw_rate=weaving), "no plausible ratio"),
    ],
)
def test_a_log_that_tells_no_ratio_gets_the_usual_one_and_it_is_noted(tmp_path, scene, reason):
    write_dataset(tmp_path, (scene,))
    (episode,), report = convert(tmp_path)
    assert episode.meta["steering_ratio"] == 15.5 and not episode.meta["steering_ratio_fitted"]
    assert any(reason in note for note in report.notes)


@pytest.mark.parametrize("missing", ["steeranglefeedback", "zoesensors"])
def test_without_steering_or_pedals_actions_are_derived_and_noted_and_applied_ones_refused(tmp_path, missing):
    write_dataset(tmp_path)
    (tmp_path / "can_bus" / f"scene-0001_{missing}.json").unlink()
    (episode,), report = convert(tmp_path)
    assert episode.meta["action_source"] == "derived"
    assert "no steering or pedals on the CAN bus: actions are derived from ego_pose" in report.notes
    with pytest.raises(ConversionError, match="no steering and pedals below"):
        convert(tmp_path, actions="applied")


def test_without_the_pedal_of_the_vehicle_the_sensor_is_taken_and_without_pose_the_table(tmp_path):
    write_dataset(tmp_path, (SceneSpec(throttle=lambda t: 0.4),))
    (tmp_path / "can_bus" / "scene-0001_zoe_veh_info.json").unlink()
    (tmp_path / "can_bus" / "scene-0001_pose.json").unlink()
    (episode,), _ = convert(tmp_path)
    assert episode.meta["action_source"] == "can_bus" and episode.meta["motion_source"] == "ego_pose"
    np.testing.assert_allclose(episode.actions[:, 1], 0.4, atol=1e-6)
    np.testing.assert_allclose(episode.vector[:, 0], 5.0, rtol=1e-4)


def test_messages_that_are_not_finite_repeat_or_lack_their_value_are_counted(tmp_path):
    write_dataset(tmp_path)

    def damage(rows):
        rows[20]["value"] = math.nan
        rows[30]["utime"] = rows[29]["utime"]
        rows[40] = {"utime": rows[40]["utime"]}
        rows[50] = None
        rows[60]["utime"] = 10**30

    edit_messages(tmp_path, "scene-0001", "steeranglefeedback", damage)
    (episode,), report = convert(tmp_path)
    assert episode.meta["action_source"] == "can_bus" and np.isfinite(episode.actions).all()
    assert report.skipped["CAN message steeranglefeedback with a number that is not finite"] == 1
    assert report.skipped["CAN message steeranglefeedback with the stamp of another"] == 1
    assert report.skipped["CAN message steeranglefeedback that cannot be read"] == 3


def test_a_hole_in_the_steering_cuts_the_episode(tmp_path):
    write_dataset(tmp_path, (SceneSpec(seconds=4.0),))
    limits = [start_us(0) + 1_000_000, start_us(0) + 2_500_000]
    edit_messages(
        tmp_path,
        "scene-0001",
        "steeranglefeedback",
        lambda rows: [row for row in rows if not limits[0] < row["utime"] < limits[1]],
    )
    episodes, report = convert(tmp_path)
    assert [milliseconds(e)[0] for e in episodes] == [0, 2500] and report.splits[0]["reason"] == "no control"


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"utime": 1, "val', b"[" * 200_000, b"\xff\xfe\x00"])
def test_a_damaged_file_is_noted_by_name_and_the_scene_is_derived(tmp_path, content):
    write_dataset(tmp_path)
    (tmp_path / "can_bus" / "scene-0001_zoesensors.json").write_bytes(content)
    (episode,), report = convert(tmp_path)
    assert episode.meta["action_source"] == "derived" and report.skipped["damaged CAN bus file"] == 1
    assert any("scene-0001_zoesensors.json" in note for note in report.notes)


def test_a_scene_name_cannot_lead_out_of_the_can_bus_folder(tmp_path):
    write_dataset(tmp_path / "dataset", (SceneSpec(yaw_rate=weaving),))
    (tmp_path / "dataset" / "can_bus").rename(tmp_path / "outside")
    (tmp_path / "dataset" / "can_bus").mkdir()
    outside = "../../outside/scene-0001"
    assert json.loads((tmp_path / "dataset" / "can_bus" / f"{outside}_pose.json").read_text())
    assert not steering_ratio(str(tmp_path / "dataset"), (outside,)).fitted

"""Tubs as DonkeyCar's cars write them, of both kinds."""

import json

import numpy as np
import pytest
from any_conversion import converted
from carla_conversion import greys
from fixtures_carla import write_picture
from mutations import Mutator
from wm_bundle import ImageError
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.sources import donkeycar
from wm_data.errors import ConversionError

BEGIN_MS = 1_623_500_000_123


def records(count: int, **columns) -> list[dict]:
    usual = {"user/angle": lambda k: 0.1 * k - 0.5, "user/throttle": lambda k: 0.3, "user/mode": lambda k: "user"}
    return [{name: value(k) for name, value in {**usual, **columns}.items()} for k in range(count)]


def write_tub(folder, rows, deleted=(), period_ms: int = 50, per_catalog: int = 7):
    """manifest.json, catalogs of a few records each, images/; the k-th picture is of brightness 10 k."""
    paths = []
    for k, row in enumerate(rows):
        name = f"{k}_cam_image_array_.jpg"
        write_picture(folder / "images" / name, 10 * k)
        full = {"_index": k, "_session_id": "21-06-12_0", "cam/image_array": name}
        full["_timestamp_ms"] = BEGIN_MS + period_ms * k
        catalog = f"catalog_{k // per_catalog}.catalog"
        paths += [] if catalog in paths else [catalog]
        with open(folder / catalog, "a") as stream:
            stream.write(json.dumps({**full, **row}, sort_keys=True) + "\n")
    catalogs = {"paths": paths, "current_index": len(rows), "max_len": per_catalog, "deleted_indexes": list(deleted)}
    lines = [["cam/image_array", "user/angle"], ["image_array", "float"], {}, {"created_at": 1.0}, catalogs]
    (folder / "manifest.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def write_old_tub(folder, rows, milliseconds: bool = True):
    """record_N.json and pictures in one folder, numbered from 1."""
    for k, row in enumerate(rows, 1):
        name = f"{k}_cam-image_array_.jpg"
        write_picture(folder / name, 10 * k)
        time = {"milliseconds": 60 * k} if milliseconds else {}
        (folder / f"record_{k}.json").write_text(json.dumps({"cam/image_array": name, **row, **time}))
    (folder / "meta.json").write_text("{}")
    return folder


def near(episode, expected) -> bool:
    return np.abs(np.array(greys(episode)) - expected).max() <= 3  # JPEG


def test_a_tub_gives_its_records_in_order_over_all_catalogs(tmp_path):
    (episode,), report = converted("donkeycar", write_tub(tmp_path / "tub", records(12)))
    assert near(episode, 10 * np.arange(11)) and episode.meta["rate_hz"] == 20.0
    assert episode.stamps_ns[0] == BEGIN_MS * 1_000_000
    np.testing.assert_allclose(episode.actions[:, 0], 0.1 * np.arange(11) - 0.5, atol=1e-6)
    np.testing.assert_allclose(episode.actions[:, 1:], [[0.3, 0.0]] * 11, atol=1e-6)
    assert episode.meta["action_source"] == "commanded" and episode.meta["dataset"] == "donkeycar"
    assert episode.meta["cameras"][0]["name"] == "rgb_front" and not report.skipped


def test_deleted_records_are_left_out_and_cut(tmp_path):
    episodes, report = converted("donkeycar", write_tub(tmp_path / "tub", records(20), deleted=(5, 6, 19)))
    assert [len(episode) for episode in episodes] == [4, 11]
    assert report.skipped["row that was deleted in the tub"] == 3


@pytest.mark.parametrize(("milliseconds", "rate"), [(True, 16.666667), (False, 20.0)])
def test_a_tub_of_the_old_kind_is_read_with_its_time_or_by_its_numbers(tmp_path, milliseconds, rate):
    folder = write_old_tub(tmp_path / "tub", records(14), milliseconds)
    (folder / "exclude.json").write_text("[14]")
    (folder / "record_13.json").write_text('{"user/angle": 0.')  # the battery was empty
    (episode,), report = converted("donkeycar", folder)
    assert near(episode, 10 * np.arange(1, 12)) and episode.meta["rate_hz"] == pytest.approx(rate)
    assert report.skipped["row that was deleted in the tub"] == 1
    assert any("--frame-rate" in note for note in report.notes) == (not milliseconds)


def test_a_time_that_is_written_out_counts_before_that_of_a_conversion(tmp_path):
    rows = records(12, timestamp=lambda k: f"2019-03-06 21:04:{48 + k / 10:.6f}")
    for folder in (write_tub(tmp_path / "new", rows, period_ms=3), write_old_tub(tmp_path / "old", rows)):
        (episode,), _ = converted("donkeycar", folder)
        assert episode.meta["rate_hz"] == 10.0 and episode.stamps_ns[0] == 1_551_906_288 * 10**9


def test_what_drove_the_car_is_taken_by_its_mode_and_left_out_where_the_tub_lacks_it(tmp_path):
    modes = ["user", "local_angle", "local", "local_pilot"]
    pilot = {"pilot/angle": lambda k: 0.9, "pilot/throttle": lambda k: 0.8}
    rows = records(16, **{"user/mode": lambda k: modes[k // 4], **pilot})
    (episode,), _ = converted("donkeycar", write_tub(tmp_path / "a", rows))
    np.testing.assert_allclose(episode.actions[4:, 0], 0.9, atol=1e-6)
    np.testing.assert_allclose(episode.actions[:, 1], [0.3] * 8 + [0.8] * 7, atol=1e-6)
    without = [{name: value for name, value in row.items() if not name.startswith("pilot")} for row in rows]
    (episode,), report = converted("donkeycar", write_tub(tmp_path / "b", without))
    assert len(episode) == 3
    assert report.skipped["row without the pilot's command, by which the car was driven"] == 12


def test_a_throttle_below_zero_brakes_or_drives_backwards_and_makes_no_action(tmp_path):
    rows = records(16, **{"user/throttle": lambda k: -0.5 if 6 <= k < 9 else 0.4})
    episodes, report = converted("donkeycar", write_tub(tmp_path / "tub", rows))
    assert [len(episode) for episode in episodes] == [5, 6]
    assert report.skipped["row with a throttle below zero, which brakes or drives backwards"] == 3


def test_records_stamped_by_a_script_are_refused_until_the_rate_is_told(tmp_path):
    folder = write_tub(tmp_path / "tub", records(12), period_ms=3)
    with pytest.raises(ConversionError, match="3 ms apart, faster than any car.*--frame-rate 20"):
        converted("donkeycar", folder)
    (episode,), _ = converted("donkeycar", folder, frame_rate=20.0)
    assert episode.meta["rate_hz"] == 20.0 and len(episode) == 11


def test_all_tubs_below_a_folder_are_found_and_named_by_their_place(tmp_path):
    write_tub(tmp_path / "data" / "tub_1", records(3))
    write_old_tub(tmp_path / "data" / "old" / "tub 2", records(3))
    (tmp_path / "data" / "manifest.json").write_text("{}")  # of a conversion
    refs = donkeycar.find_drives(ConvertOptions("donkeycar", str(tmp_path / "data"), "dest"))
    assert [ref.name for ref in refs] == ["old_tub_2", "tub_1"]
    with pytest.raises(ConversionError, match="holds no DonkeyCar tub"):
        donkeycar.find_drives(ConvertOptions("donkeycar", str(tmp_path / "data" / "tub_1" / "images"), "dest"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}\n",
        '[]\n[]\n{}\n{}\n{"paths": 7}\n',
        '[]\n[]\n{}\n{}\n{"paths": ["../x.catalog"], "deleted_indexes": []}\n',
    ],
)
def test_a_damaged_manifest_is_told(tmp_path, text):
    folder = write_tub(tmp_path / "tub", records(3))
    (folder / "manifest.json").write_text(text)
    with pytest.raises(ConversionError, match="manifest.json (is damaged|names the catalog)"):
        converted("donkeycar", folder)


def test_damaged_tubs_give_errors_in_words_and_nothing_else(tmp_path):
    folder, old = write_tub(tmp_path / "tub", records(8)), write_old_tub(tmp_path / "old", records(6))
    (old / "exclude.json").write_text("[3]")
    files = [folder / "manifest.json", folder / "catalog_1.catalog", old / "record_2.json", old / "exclude.json"]
    mutator = Mutator(files, seed=5)
    read = 0
    for _ in range(60):
        mutator.damage()
        for tub in (folder, old):
            try:
                read += len(converted("donkeycar", tub)[0])
            except (ConversionError, ImageError):
                pass
        mutator.repair()
    assert read > 0


def test_a_record_that_was_cut_is_left_out_and_counted(tmp_path):
    folder = write_tub(tmp_path / "tub", records(12))
    catalog = folder / "catalog_1.catalog"  # of the records 7 to 11
    catalog.write_text(catalog.read_text()[:-30])  # the battery was empty
    (episode,), report = converted("donkeycar", folder)
    assert near(episode, 10 * np.arange(10))
    assert report.skipped == {"row whose record cannot be read": 1}


@pytest.mark.parametrize("timed", [True, False])
def test_a_car_that_was_started_again_begins_a_new_episode_also_without_a_time(tmp_path, timed):
    rows = records(14, _session_id=lambda k: f"21-06-12_{k // 8}")
    folder = write_tub(tmp_path / "tub", rows)
    if not timed:
        for catalog in folder.glob("*.catalog"):
            told = [json.loads(line) for line in catalog.read_text().splitlines()]
            kept = ({name: value for name, value in row.items() if name != "_timestamp_ms"} for row in told)
            catalog.write_text("".join(json.dumps(row) + "\n" for row in kept))
    episodes, _ = converted("donkeycar", folder, frame_rate=20.0)
    assert [
        near(episode, 10 * np.arange(8 * k, 8 * k + n))
        for k, (episode, n) in enumerate(zip(episodes, (7, 5), strict=True))
    ] == [True, True]

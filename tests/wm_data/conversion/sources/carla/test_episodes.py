import dataclasses
from pathlib import Path

import numpy as np
import pytest
from make_episodes import META, make_episode
from mutations import Mutator
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.sources import carla
from wm_data.episodes import Episode, write_episode
from wm_data.errors import ConversionError

ARRAYS = ("actions", "rewards", "dones", "terminals", "vector", "expert_actions", "stamps_ns")


def convert(source: Path, **values) -> Episode:
    chosen = ConvertOptions("carla", str(source), "dest", **{"image_size": 64, **values})
    (ref,) = carla.find_drives(chosen)
    (episode,) = carla.episodes(ref, chosen)
    return episode


def two_cameras() -> Episode:
    episode = make_episode(6)
    pictures = np.concatenate([episode.observations, 255 - episode.observations], axis=1)
    cameras = [{**META["cameras"][0], "name": name} for name in ("rgb_front", "rgb_left")]
    mask = np.array([[True, False]] * 6)
    return dataclasses.replace(episode, observations=pictures, camera_mask=mask, meta={**META, "cameras": cameras})


def test_an_episode_of_the_wanted_size_is_kept_bit_by_bit(tmp_path):
    made = make_episode(12)
    file = write_episode(tmp_path / "episode_000000.npz", made)
    episode = convert(file)
    for key in (*ARRAYS, "observations"):
        np.testing.assert_array_equal(getattr(episode, key), getattr(made, key))
    assert episode.meta == {**META, "format_version": 1}
    assert convert(tmp_path).meta == episode.meta  # the folder as source


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_seeds_four_keys_are_enough_and_its_camera_and_rate_can_be_told(tmp_path, save):
    made = make_episode(7)
    save(tmp_path / "e.npz", **{key: getattr(made, key) for key in ("observations", *ARRAYS[:3])})
    episode = convert(tmp_path, rate=20.0, cameras=("front",))
    np.testing.assert_array_equal(episode.observations, made.observations)
    np.testing.assert_array_equal(episode.rewards, made.rewards)
    assert episode.meta["rate_hz"] == 20.0
    assert episode.meta["cameras"][0] == {
        "name": "front",
        "source_height": 64,
        "source_width": 64,
        "crop": None,
        "letterbox": False,
    }


def test_another_size_changes_the_pictures_and_nothing_else(tmp_path):
    made = two_cameras()
    write_episode(tmp_path / "e.npz", made)
    episode = convert(tmp_path, image_size=32)
    expected = made.observations.reshape(6, 6, 32, 2, 32, 2).mean(axis=(3, 5))  # areas of two by two
    assert np.abs(episode.observations - expected).max() <= 0.5
    for key in (*ARRAYS, "camera_mask"):
        np.testing.assert_array_equal(getattr(episode, key), getattr(made, key))
    assert episode.meta["cameras"] == made.meta["cameras"]  # whole pictures, only scaled


def test_a_crop_makes_the_episodes_pictures_count_as_the_cameras_own(tmp_path):
    made = make_episode(5)
    write_episode(tmp_path / "e.npz", made)
    episode = convert(tmp_path, image_size=32, crop=(16, 0, 32, 32))
    np.testing.assert_array_equal(episode.observations, made.observations[:, :, 16:48, :32])
    camera = episode.meta["cameras"][0]
    assert (camera["source_height"], camera["crop"]) == (64, [16, 0, 32, 32])


def test_cameras_are_chosen_and_ordered_by_name(tmp_path):
    made = two_cameras()
    write_episode(tmp_path / "e.npz", made)
    episode = convert(tmp_path, cameras=("rgb_left", "rgb_front"))
    np.testing.assert_array_equal(episode.observations[:, 3:], made.observations[:, :3])
    assert episode.camera_mask[0].tolist() == [False, True]
    assert [camera["name"] for camera in episode.meta["cameras"]] == ["rgb_left", "rgb_front"]
    assert convert(tmp_path, cameras=("rgb_left",)).observations.shape == (6, 3, 64, 64)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 20.0}, "is at 12.5 Hz"),
        ({"cameras": ("rear",)}, "no camera rear; it has rgb_front"),
        ({"actions": "derived"}, "no derived ones"),
        ({"crop": (0, 0, 100, 100)}, "crop"),
    ],
)
def test_options_that_an_episode_cannot_follow_are_refused(tmp_path, values, message):
    write_episode(tmp_path / "e.npz", make_episode(5))
    with pytest.raises(ConversionError, match=message):
        convert(tmp_path, **values)


def test_a_pickle_inside_an_npz_is_refused_and_not_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "sprung"), "w")

    made = make_episode(5)
    arrays = {key: getattr(made, key) for key in ("observations", *ARRAYS[:3])}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "e.npz", **arrays, vector=np.array([[Trap()]] * 5, object))
        with pytest.raises(ConversionError, match="[Oo]bject"):
            convert(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_a_flipped_bit_in_a_picture_is_found_by_its_checksum(tmp_path):
    file = write_episode(tmp_path / "e.npz", make_episode(5))
    data = bytearray(file.read_bytes())
    data[20_000] ^= 1
    file.write_bytes(data)
    with pytest.raises(ConversionError, match="observations.npy does not have the checksum"):
        convert(file)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_episodes_give_errors_in_words_and_nothing_else(tmp_path, save):
    made = make_episode(4, size=8)
    file = tmp_path / "e.npz"
    save(file, **{key: getattr(made, key) for key in ("observations", *ARRAYS)}, meta='{"rate_hz": 10}')
    mutator = Mutator([file], seed=4)
    for _ in range(100):
        mutator.damage()
        try:
            convert(tmp_path, image_size=4)
        except ConversionError:
            pass
        mutator.repair()
    assert len(convert(tmp_path, image_size=4)) == 4


@pytest.mark.parametrize("meta", [np.array("[" * 100_000), np.frombuffer(b"\xff" * 64, "<U16"), np.array('"text"')])
def test_a_meta_that_is_no_json_object_is_told_in_words(tmp_path, meta):
    made = make_episode(4, size=8)
    np.savez(tmp_path / "e.npz", **{key: getattr(made, key) for key in ("observations", *ARRAYS[:3])}, meta=meta)
    with pytest.raises(ConversionError, match="has a meta that is"):
        convert(tmp_path)

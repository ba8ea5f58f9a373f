from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from make_episodes import make_folder
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset
from wm_training.data.light import change_light, draw_lights

PLAIN = WorldModelTrainConfig(sequence_length=8, batch_size=8, validation_share=0.34)
LIGHT = replace(PLAIN, light_augmentation=0.6)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 4.0), st.integers(0, 2**32 - 1))
def test_half_of_the_lights_change_and_none_by_more_than_the_strength_and_its_quarter(strength, seed):
    lights = draw_lights(np.random.default_rng(seed), 400, strength)
    changed = (lights != 1.0).any(-1)
    assert 140 <= changed.sum() <= 260
    assert np.abs(np.log(lights)).max() <= 1.25 * np.log1p(strength) + 1e-9


def test_every_colour_of_every_camera_and_row_is_multiplied_and_saturates():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 4, 4), dtype=np.uint8)
    before, lights = pictures.copy(), np.array([[1.0, 1.0, 1.0], [1.7, 0.5, 1.0]])
    change_light(pictures, lights)
    expected = np.minimum(np.floor(before * np.tile(lights, 2)[:, None, :, None, None] + 0.5), 255)
    np.testing.assert_array_equal(pictures, expected)


def test_only_training_pictures_change_and_nothing_else_does(tmp_path):
    make_folder(tmp_path, count=6)
    plain, light = SequenceDataset(tmp_path, PLAIN).batch(1, 0), SequenceDataset(tmp_path, LIGHT).batch(1, 0)
    assert all((a == b).all() for a, b in zip(plain[1:], light[1:], strict=True))
    same = (plain.image == light.image).flatten(1).all(1)
    assert same.any() and not same.all()
    validation = [SequenceDataset(tmp_path, config, "val").batch(1, 0).image for config in (PLAIN, LIGHT)]
    assert (validation[0] == validation[1]).all()


def test_a_process_that_reads_its_share_sees_the_light_of_the_whole_batch(tmp_path):
    make_folder(tmp_path, count=6)
    data = SequenceDataset(tmp_path, LIGHT)
    assert (data.batch(2, 1).image[4:6] == data.batch(2, 1, slice(4, 6)).image).all()

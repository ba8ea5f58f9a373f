import numpy as np
import pytest
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity
from wm_evaluation.metrics.pictures import BLOCK_NUMBERS, camera_mean, psnr, squared_error, ssim

NAN = float("nan")


def pictures(shape, seed=0):
    """Smooth shapes with noise, and a version of it that is darker, shifted and noisier."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[-2], : shape[-1]]
    truth = 120 + 90 * np.sin(rows / 5 + random.random(shape[:-2])[..., None, None] * 6) * np.cos(columns / 7)
    predicted = 0.8 * np.roll(truth, 2, -1) + random.normal(0, 15, shape)
    return tuple(np.clip(values, 0, 255).astype(np.uint8) for values in (predicted, truth + random.normal(0, 5, shape)))


def reference_ssim(predicted, truth):
    return structural_similarity(
        predicted / 255,
        truth / 255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=0,
    )


@pytest.mark.parametrize("size", [(64, 64), (11, 11), (48, 96), (17, 12)])
def test_ssim_is_that_of_scikit_image(size):
    predicted, truth = pictures((5, 3, *size))
    expected = [reference_ssim(one, two) for one, two in zip(predicted, truth, strict=True)]
    assert ssim(predicted, truth)[:, 0] == pytest.approx(expected, abs=2e-5)
    assert 0.0 < min(expected) and max(expected) < 0.95


def test_ssim_of_equal_flat_and_inverted_pictures():
    _, truth = pictures((3, 32, 32))
    flat = np.full((3, 32, 32), 255, np.uint8)
    assert ssim(truth, truth) == pytest.approx([1.0], abs=1e-6)
    assert ssim(255 - truth, truth)[0] == pytest.approx(reference_ssim(255 - truth, truth), abs=2e-5)
    # White against black: no variance, so what is left is C1 / (1 + C1), with C1 = 0.0001.
    assert ssim(flat, 0 * flat) == pytest.approx([1e-4 / 1.0001], abs=1e-6)


def test_psnr_is_that_of_scikit_image_and_a_perfect_picture_has_100_db():
    predicted, truth = pictures((4, 3, 64, 64))
    error = squared_error(predicted, truth)
    for i in range(4):
        assert error[i, 0] == pytest.approx(mean_squared_error(predicted[i] / 255, truth[i] / 255), rel=1e-12)
        assert psnr(error)[i, 0] == pytest.approx(peak_signal_noise_ratio(truth[i], predicted[i]), rel=1e-12)
    # Pixels off by 51 of 255: error 0.2, square 0.04, 10 log10(1 / 0.04) = 13.979 dB.
    grey = np.full((2, 3, 16, 16), 100, np.uint8)
    assert psnr(squared_error(grey + 51, grey)) == pytest.approx(np.full((2, 1), 13.979), abs=1e-3)
    assert psnr(np.array([0.01, 0.0])) == pytest.approx([20.0, 100.0])


def test_many_pictures_of_several_cameras_have_the_figures_they_have_one_by_one():
    predicted, truth = pictures((3, 29, 6, 48, 64))
    assert truth.size > BLOCK_NUMBERS
    for measure in (squared_error, ssim):
        values = measure(predicted, truth)
        assert values.shape == (3, 29, 2)
        for place in ((0, 0), (1, 17), (2, 28)):
            for camera in range(2):
                channels = slice(3 * camera, 3 * camera + 3)
                alone = measure(predicted[place][channels], truth[place][channels])
                assert values[(*place, camera)] == pytest.approx(alone[0], abs=1e-6)


def test_a_missing_camera_does_not_count():
    values, present = np.array([[1.0, 3.0], [1.0, 3.0], [1.0, 3.0]]), np.array([[1, 1], [1, 0], [0, 0]], bool)
    assert camera_mean(values, present) == pytest.approx([2.0, 1.0, NAN], nan_ok=True)


def test_pictures_that_cannot_be_compared_are_refused():
    grey = np.zeros((3, 16, 16), np.uint8)
    with pytest.raises(ValueError, match=r"expected two arrays .* got \(3, 16, 16\) and \(3, 16, 12\)"):
        squared_error(grey, grey[..., :12])
    with pytest.raises(ValueError, match="uint8, got float64"):
        ssim(grey / 255, grey)
    with pytest.raises(ValueError, match="10 x 16 px, SSIM needs at least 11"):
        ssim(grey[..., :10], grey[..., :10])

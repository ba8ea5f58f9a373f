"""Measures of predicted pictures. Pictures are uint8 (…, 3K, H, W), the three channels of K cameras stacked."""

from collections.abc import Iterator

import cv2
import numpy as np

SMALLEST_ERROR = 1e-10  # smallest mean squared error: limits the PSNR to 100 dB
WINDOW, SIGMA = 11, 1.5  # [px] of SSIM's Gaussian window
MEAN_CONSTANT, VARIANCE_CONSTANT = 0.01**2, 0.03**2  # SSIM's C1 and C2 for pictures in [0, 1]
BLOCK_NUMBERS = 2**20  # number of values computed at a time


def psnr(squared_error: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio [dB] of mean squared errors of pictures in [0, 1], any shape; at most 100 dB.

    Computed from an averaged error: the average of single pictures' PSNR would be infinite wherever a standing car
    makes copying the last frame perfect.
    """
    return -10.0 * np.log10(np.maximum(squared_error, SMALLEST_ERROR))


def squared_error(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean squared error of every camera's picture, on the scale [0, 1]: uint8 (…, 3K, H, W) twice to (…, K). Raises
    ValueError for other types or different shapes."""
    cameras = _cameras(predicted, truth)
    errors = np.empty(cameras)
    for place, one, two in _blocks(predicted, truth):
        difference = one.astype(np.int32) - two
        errors.flat[place] = np.square(difference).mean((1, 2, 3)) / 255.0**2
    return errors


def ssim(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity (Wang et al. 2004) of every camera's picture: uint8 (…, 3K, H, W) twice to (…, K).

    Gaussian window of 11 px with a standard deviation of 1.5 px, population covariances, colours averaged. The mean is
    over the pixels whose window is inside the picture: 5 px at every edge do not count. Raises ValueError for other
    types, different shapes, or pictures smaller than the window.
    """
    cameras = _cameras(predicted, truth)
    if min(truth.shape[-2:]) < WINDOW:
        raise ValueError(f"pictures are {truth.shape[-1]} x {truth.shape[-2]} px, SSIM needs at least {WINDOW}")
    values = np.empty(cameras)
    for place, one, two in _blocks(predicted, truth):
        values.flat[place] = _ssim_of_block(one, two)
    return values


def camera_mean(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Mean over the available cameras: (…, K) twice to (…); NaN if there is none."""
    count = present.sum(-1)
    return np.where(count > 0, (values * present).sum(-1) / np.maximum(count, 1), np.nan)


def _ssim_of_block(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """uint8 (P, 3, H, W) twice to (P,)."""
    x, y = (pictures.astype(np.float32) / np.float32(255.0) for pictures in (one, two))
    mean_x, mean_y = _smooth(x), _smooth(y)
    variances = _smooth(x * x + y * y) - mean_x * mean_x - mean_y * mean_y
    covariance = _smooth(x * y) - mean_x * mean_y
    above = (2.0 * mean_x * mean_y + MEAN_CONSTANT) * (2.0 * covariance + VARIANCE_CONSTANT)
    below = (mean_x * mean_x + mean_y * mean_y + MEAN_CONSTANT) * (variances + VARIANCE_CONSTANT)
    border = WINDOW // 2
    return (above / below)[..., border:-border, border:-border].mean((1, 2, 3), dtype=np.float64)


def _smooth(pictures: np.ndarray) -> np.ndarray:
    """Gaussian means of float32 (P, 3, H, W), correct wherever the window is inside the picture. The pictures are
    filtered as one tall picture: mixing with a neighbour only affects the border that does not count."""
    tall = pictures.reshape(-1, pictures.shape[-1])
    smooth = cv2.GaussianBlur(tall, (WINDOW, WINDOW), SIGMA, borderType=cv2.BORDER_REFLECT)
    return smooth.reshape(pictures.shape)


def _cameras(predicted: np.ndarray, truth: np.ndarray) -> tuple[int, ...]:
    """The shape (…, K) of a value per camera. Raises ValueError."""
    if predicted.shape != truth.shape or truth.ndim < 3 or truth.shape[-3] % 3:
        raise ValueError(f"expected two arrays (…, 3K, H, W), got {predicted.shape} and {truth.shape}")
    if predicted.dtype != np.uint8 or truth.dtype != np.uint8:
        raise ValueError(f"expected pictures in uint8, got {predicted.dtype} and {truth.dtype}")
    return (*truth.shape[:-3], truth.shape[-3] // 3)


def _blocks(predicted: np.ndarray, truth: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Pairs of (P, 3, H, W), a bounded number of pictures at a time, and their position among all of them."""
    shape = (-1, 3, *truth.shape[-2:])
    one, two = predicted.reshape(shape), truth.reshape(shape)
    count = max(1, BLOCK_NUMBERS // max(1, int(np.prod(shape[1:]))))
    for first in range(0, len(two), count):
        place = slice(first, first + count)
        yield place, one[place], two[place]

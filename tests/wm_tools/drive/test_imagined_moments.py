"""Property: an imagined frame stands beside the frame that really came at its time."""

from dataclasses import replace

import numpy as np
import pytest
from wm_tools.drive.imagined_moments import moments_of, pick_moments, prediction_errors, strip_steps, strips


def test_real_frames_are_those_of_the_imagined_times(episode):
    first, second = moments_of(episode)
    # Frame k shows k; imagined at frame 2 with a horizon of 4: 3, 4, 5, 6 came.
    assert first.complete and first.time_s == pytest.approx(2 * 0.08)
    assert [int(frame.mean()) for frame in first.real] == [3, 4, 5, 6]
    # Imagined at frame 8, and frame 9 is the last with an action.
    assert not second.complete
    assert [None if frame is None else int(frame.mean()) for frame in second.real] == [9, None, None, None]


def test_errors_by_time_ahead(episode):
    (moment, _) = moments_of(episode)
    wrong = replace(moment.imagined, future=moment.imagined.future + np.uint8(5))
    imagined, still = prediction_errors([replace(moment, imagined=wrong)])
    assert imagined == pytest.approx([5.0] * 4)
    assert still == pytest.approx([1.0, 2.0, 3.0, 4.0])  # frame 2 stays, 3 to 6 came
    assert prediction_errors([]) is None


def test_the_hardest_steering_of_each_stretch_is_picked(episode):
    moment = moments_of(episode)[0]

    def steering(amount):
        return replace(moment, imagined=replace(moment.imagined, steering=np.full((2, 4), amount)))

    moments = [steering(amount) for amount in (0.1, -0.9, 0.2, 0.3, 0.8, 0.4)]
    opening = replace(steering(1.0), time_s=0.5)  # the first second is not shown where there is more
    moments = [opening, *(replace(m, time_s=2.0) for m in moments)]
    picked = [float(m.imagined.steering[0, 0]) for m in pick_moments(moments, 2)]
    assert picked == [-0.9, 0.8]


def test_strips_show_the_end_of_the_future_and_black_where_none_came(episode):
    assert strip_steps(12) == [1, 3, 5, 7, 9, 11]
    assert strip_steps(4) == [0, 1, 2, 3]
    imagined, real = strips(moments_of(episode)[1])
    assert imagined.shape == real.shape == (8, 4 * 8 + 3 * 2, 3)  # two pixels between the frames
    assert real[0, ::10, 0].tolist() == [9, 0, 0, 0]
    assert imagined[0, ::10, 0].tolist() == [9, 10, 11, 12]

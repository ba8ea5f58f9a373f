"""Pictures that were sent and not received, without ROS."""

from wm_planner.node.picture_loss import PictureLoss

PICTURE = 800 * 600 * 4  # 1.92 MB, bgra8


def test_gaps_in_a_publishers_numbers_are_counted_for_each_camera():
    loss = PictureLoss(["front", "rear"], segment=lambda: None)
    for camera, number in ((0, 5), (1, 5), (0, 6), (1, 8), (0, 9)):  # the first is no gap
        loss.take(camera, PICTURE, number)
    assert loss.missed == {"front": 2, "rear": 2}
    loss.reset()
    assert loss.missed == {"front": 0, "rear": 0}


def test_a_new_publisher_and_one_without_numbers_lose_nothing():
    loss = PictureLoss(["front"], segment=lambda: None)
    for number in (40, 41, 1, 2, None, 7, 8):  # restarted; Humble does not tell
        loss.take(0, PICTURE, number)
    assert loss.missed == {"front": 0}


def test_a_segment_that_is_too_small_is_told_once_pictures_are_missed():
    sizes = [550_000]
    loss = PictureLoss(["front", "rear"], segment=lambda: sizes[0])
    for number in (1, 2):
        loss.take(0, PICTURE, number)
        loss.take(1, PICTURE, number)
    assert loss.faults() == []
    loss.take(1, PICTURE, 4)
    (line,) = loss.faults()
    assert "3.8 MB" in line and "0.6 MB" in line and "_DEFAULT_PROFILES_FILE=" in line
    loss.take(1, PICTURE, 9)
    assert loss.faults() == [line]  # the same words, so it is logged once
    for enough in (2 * PICTURE, None):  # None: no shared memory
        sizes[0] = enough
        assert loss.faults() == []

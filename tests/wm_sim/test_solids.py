"""Boxes in pictures: they are drawn where the camera's geometry puts them, the nearer before the farther."""

import itertools
import math

import cv2
import numpy as np
import pytest
from drawn_track import drawn_edge, project
from wm_sim.ground_view import GroundView, Layer
from wm_sim.pinhole import Mount, Pinhole, quaternion
from wm_sim.solids import Box, visible_faces

RAD = math.radians
CAR = (3.0, -2.0, RAD(20.0))  # x, y [m], yaw
SIZE = (5.0, 2.0, 1.5)
GROUND = [Layer(1e3 * np.array([[(-1, -1), (1, -1), (1, 1), (-1, 1)]]), np.array([(20, 60, 120)]))]
CAMERAS = {
    "front": Pinhole(640, 480, RAD(90), Mount(0.6, 0.0, 2.6, pitch=RAD(12))),
    "low": Pinhole(640, 480, RAD(70), Mount(0.6, 0.0, 0.8)),
    "above": Pinhole(480, 480, RAD(60), Mount(14.0, 0.0, 50.0, pitch=RAD(90))),
    "small": Pinhole(160, 120, RAD(90), Mount(0.6, 0.2, 1.6, roll=RAD(5), pitch=RAD(8), yaw=RAD(-10))),
}


def ahead(distance_m, left_m, turn, number=0, colour=(250, 120, 0)):
    """A box, its middle ahead and left of the car."""
    x, y, yaw = CAR
    return Box(
        number,
        x + distance_m * math.cos(yaw) - left_m * math.sin(yaw),
        y + distance_m * math.sin(yaw) + left_m * math.cos(yaw),
        yaw + turn,
        SIZE,
        colour,
    )


def picture(camera, boxes):
    return GroundView(camera).picture([*GROUND, *visible_faces(boxes, camera.eye(*CAR))], *CAR)


def pixel_of(camera):
    """A function from a point of the map (3,) to its pixel, apart from wm_sim's own projection."""
    mount, lens, k = camera.mount, quaternion(camera.optical_rotation), camera.matrix.ravel()
    turn = (0.0, 0.0, math.sin(CAR[2] / 2), math.cos(CAR[2] / 2))
    return lambda point: project(point, (*CAR[:2], 0.0), turn, (mount.x, mount.y, mount.z), lens, k)


def visible_edges(box, eye):
    """Those of the 12 edges, as pairs of points (3,), that belong to a face which looks at ``eye``."""
    cosine, sine = math.cos(box.yaw), math.sin(box.yaw)
    half = np.array([box.size_m[0] / 2, box.size_m[1] / 2, box.size_m[2] / 2])
    dx, dy = eye[0] - box.x, eye[1] - box.y
    seen_from = np.array([dx * cosine + dy * sine, dy * cosine - dx * sine, eye[2] - half[2]])
    for first, second in itertools.combinations(itertools.product((-1, 1), repeat=3), 2):
        common = [k for k in range(3) if first[k] == second[k]]  # each names a face
        if len(common) == 2 and any(first[k] * seen_from[k] > half[k] for k in common):
            yield tuple(
                np.array([box.x + a * cosine - b * sine, box.y + a * sine + b * cosine, c + half[2]])
                for a, b, c in (np.array(first) * half, np.array(second) * half)
            )


@pytest.mark.parametrize("name", CAMERAS)
def test_edges_of_a_box_are_drawn_within_half_a_pixel_of_where_they_are_seen(name):
    camera, found = CAMERAS[name], []
    pixel = pixel_of(camera)
    for place in ((9.0, 0.0, 0.1), (14.0, 4.0, -0.3), (12.0, -4.0, 1.2), (20.0, 1.0, math.pi)):
        box = ahead(*place)
        drawn = picture(camera, [box])
        for begin, end in visible_edges(box, camera.eye(*CAR)):
            first, middle, last = (pixel((1 - share) * begin + share * end) for share in (0.1, 0.5, 0.9))
            if first is None or middle is None or last is None:
                continue
            if not (10 < middle[0] < camera.width - 11 and 10 < middle[1] < camera.height - 11):
                continue
            found.append(drawn_edge(drawn, middle, last - first))
    found = np.array([distance for distance in found if distance is not None])
    assert len(found) >= 5
    assert np.abs(found).max() < 0.5


def test_the_nearer_box_covers_the_farther_one_whatever_their_order():
    camera = CAMERAS["low"]
    near, far = ahead(10.0, 0.0, 0.0, colour=(250, 0, 0)), ahead(22.0, 2.5, 0.0, colour=(0, 0, 250))
    drawn, alone = picture(camera, [near, far]), picture(camera, [near])
    np.testing.assert_array_equal(drawn, picture(camera, [far, near]))
    of_near = cv2.erode((alone != picture(camera, [])).any(axis=2).astype(np.uint8), np.ones((3, 3))) > 0
    assert of_near.sum() > 1000
    np.testing.assert_array_equal(drawn[of_near], alone[of_near])
    assert not np.array_equal(drawn, alone), "the farther one shows beside the nearer one"


def test_a_box_around_the_camera_or_behind_it_does_not_show():
    camera = CAMERAS["low"]
    for box in (ahead(-12.0, 0.0, 0.0), ahead(0.0, 0.0, 0.0)):
        np.testing.assert_array_equal(picture(camera, [box]), picture(camera, []))


def test_the_lamps_tell_the_rear_from_the_front():
    camera = CAMERAS["front"]

    def lamp_pixels(turn):
        return int((picture(camera, [ahead(10.0, 0.0, turn)]) == (200, 20, 20)).all(axis=2).sum())

    assert lamp_pixels(0.0) > 100 and lamp_pixels(math.pi) == 0

"""Pinhole pictures of the flat world: points of the track are drawn where the camera's geometry puts them."""

import math

import numpy as np
import pytest
from drawn_track import covered, drawn_edge, project, rotated
from wm_sim.carracing.world import CarRacingWorld
from wm_sim.ground_view import SKY, GroundView
from wm_sim.pinhole import Mount, Pinhole, quaternion

RAD = math.radians
CAMERAS = {
    "front": Pinhole(800, 600, RAD(90), Mount(2.0, 0.0, 2.0)),
    "left": Pinhole(320, 240, RAD(100), Mount(0.0, 0.6, 1.8, pitch=RAD(15), yaw=RAD(90))),
    "right": Pinhole(320, 240, RAD(100), Mount(0.0, -0.6, 1.8, pitch=RAD(15), yaw=RAD(-90))),
    "rear": Pinhole(200, 150, RAD(120), Mount(-2.0, 0.0, 1.8, pitch=RAD(10), yaw=RAD(180))),
    "rolled": Pinhole(480, 300, RAD(70), Mount(1.0, 0.3, 6.0, roll=RAD(-12), pitch=RAD(25), yaw=RAD(-20))),
}


@pytest.fixture(scope="module")
def track():
    """A world, the middles of its road's and kerbs' edges (n, 2), and these edges (n, 2) as they lie on the map [m]."""
    world = CarRacingWorld(0.08)
    world.reset(3)
    polygons = np.array([polygon for polygon, _ in world._env.road_poly])
    kerbs = np.array([tuple(colour) in ((255, 255, 255), (255, 0, 0)) for _, colour in world._env.road_poly])
    edges = [(polygons[:, 1], polygons[:, 2]), (polygons[:, 3], polygons[:, 0])]  # along the road
    edges.append((polygons[kerbs, 2], polygons[kerbs, 3]))  # from kerb to kerb, across the road
    begins, ends = (np.concatenate(corners) for corners in zip(*edges, strict=True))
    points = (begins + ends) / 2
    shows = ~covered(points, polygons)
    return world, points[shows], (ends - begins)[shows]


def around_the_track(world):
    """Set the car to places all around the track, not quite in its direction."""
    line = world.centre_line()
    for k in range(0, len(line), len(line) // 8):
        along = line[(k + 1) % len(line)] - line[k]
        world.place(*(line[k] + (0.7, -0.4)), math.atan2(along[1], along[0]) + 0.15)
        yield world.state()


def errors(picture, pixel, camera, points, edges):
    """Distances [px] from where edges are drawn to where they belong, of those that show."""
    for point, edge in zip(points, edges, strict=True):
        here = pixel(point)
        if here is None or not (12 < here[0] < camera.width - 13 and 12 < here[1] < camera.height - 13):
            continue
        begin, end = pixel(point - edge / 4), pixel(point + edge / 4)
        if begin is None or end is None:
            continue
        distance = drawn_edge(picture, here, 2 * (end - begin))
        if distance is not None:
            yield distance


@pytest.mark.parametrize("name", CAMERAS)
def test_edges_of_the_track_are_drawn_within_half_a_pixel_of_where_they_are_seen(name, track):
    world, points, edges = track
    camera = CAMERAS[name]
    view, found = GroundView(camera), []
    mount, lens, k = camera.mount, quaternion(camera.optical_rotation), camera.matrix.ravel()
    for state in around_the_track(world):
        turn = (0.0, 0.0, math.sin(state.yaw / 2), math.cos(state.yaw / 2))

        def pixel(point, state=state, turn=turn):
            return project((*point, 0.0), (state.x, state.y, 0.0), turn, (mount.x, mount.y, mount.z), lens, k)

        near = np.hypot(*(points - (state.x, state.y)).T) < 80.0
        picture = view.picture(world.layers(), state.x, state.y, state.yaw)
        found += errors(picture, pixel, camera, points[near], edges[near])
    found = np.array(found)
    assert len(found) >= 20
    assert np.abs(found).max() < 0.5
    assert abs(np.median(found)) < 0.1


def test_the_horizon_is_level_with_the_camera_and_only_sky_is_above_it(track):
    world = track[0]
    state = world.state()
    # Looking 10 degrees down, the horizon is f * tan(10 degrees) above the middle: 80 - 100 * 0.176 = 62.4.
    camera = Pinhole(200, 160, RAD(90), Mount(1.0, 0.0, 2.0, pitch=RAD(10)))
    picture = GroundView(camera).picture(world.layers(), state.x, state.y, state.yaw)
    sky = (picture == SKY).all(axis=2)
    assert sky[:62].all() and not sky[63:].any()


def test_a_turned_car_shows_the_same_picture_in_a_camera_that_is_turned_back(track):
    world = track[0]
    state = world.state()
    ahead, turned = (
        GroundView(Pinhole(160, 120, RAD(80), Mount(0.0, 0.0, 2.0, RAD(5), RAD(12), yaw))) for yaw in (0.0, RAD(-130))
    )
    ground = world.layers()[:1]  # without the car, which turns
    np.testing.assert_array_equal(
        ahead.picture(ground, state.x, state.y, state.yaw),
        turned.picture(ground, state.x, state.y, state.yaw + RAD(130)),
    )


def test_the_car_is_seen_from_behind_and_not_by_a_camera_ahead_of_it(track):
    world = track[0]
    state = world.state()

    def reds(mount):
        picture = GroundView(Pinhole(160, 120, RAD(90), mount)).picture(world.layers(), state.x, state.y, state.yaw)
        return int((picture == (204, 0, 0)).all(axis=2).sum())

    assert reds(Mount(-4.5, 0.0, 2.8, pitch=RAD(20))) > 300
    assert reds(Mount(2.7, 0.0, 1.0)) == 0


def test_quaternions_stand_for_their_rotation_whatever_the_angle():
    rng = np.random.default_rng(0)
    for roll, pitch, yaw in [*rng.uniform(-math.pi, math.pi, (40, 3)), *(math.pi * np.eye(3))]:
        mount = Mount(roll=roll, pitch=pitch, yaw=yaw)
        turned = np.column_stack([rotated(quaternion(mount.rotation()), axis) for axis in np.eye(3)])
        np.testing.assert_allclose(turned, mount.rotation(), atol=1e-12)

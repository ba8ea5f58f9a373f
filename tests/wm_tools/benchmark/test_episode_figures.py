"""The figures of trips whose every number is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from wm_bundle.routes import Route
from wm_sim.carracing.world import CarRacingWorld
from wm_sim.worlds import WORLDS
from wm_tools.benchmark.episode_figures import episode_figures
from wm_tools.benchmark.figures import FIGURES
from wm_tools.benchmark.status_collector import StatusCollector
from wm_tools.drive.records import EpisodeCollector, MotionSample, PlannerSample, StepSample

CARRACING = WORLDS["carracing"]
PERIOD_S = 0.08
START_NS = 5_000_000_000
PERIOD_NS = 80_000_000


def stamp(step: int) -> int:
    return START_NS + step * PERIOD_NS


def fill(collector: EpisodeCollector, steps: int = 25) -> None:
    """A car that begins at 10 m/s along the map's x, gains 1 m/s a step and sways: 0.1 of steering to and fro.

    It heads along y, so the map's x is to its right: 12.5 m/s² of acceleration across it.
    """
    for k in range(steps + 1):
        reward = 0.0 if k == 0 else 2.0
        off, done = (2 if k % 5 == 0 else 1), k == steps
        collector.add_step(StepSample(stamp(k), reward, off, 20.0 if k != 3 else math.nan, truncated=done))
        motion = MotionSample(stamp(k), 10.0 + k, 0.05 * (-1) ** k, 0.5, 0.0, (12.5 + 0.08 * k, 0.0), math.pi / 2)
        collector.add_motion(motion)
        collector.add_position(stamp(k), 3.0 * k, 4.0 * k)
        braking, reason = k in (1, 4), f"{k} s too late"
        collector.add_planner(PlannerSample(stamp(k), 9.0, braking, reason, 32, 5, 2, 0.1, k in (2, 3), asked=128))
    for when in (4, 9, 300):
        collector.add_lane_invasion(stamp(when))
    collector.add_collision(stamp(7))


@pytest.fixture
def figures():
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    fill(collector)
    (trip,) = collector.close()
    return episode_figures(trip, PERIOD_S, "Town01")


def test_every_figure_is_there_and_has_its_known_value(figures):
    assert {figure.name for figure in FIGURES} | {"latency_ms", "braking_reasons"} == set(figures)
    assert figures["score"] == 50.0 and figures["steps"] == 25  # 25 steps of 2 points
    assert figures["time_s"] == pytest.approx(2.0)
    assert figures["imagined_steps"] == 320.0  # 2 iterations * 32 candidates * 5 steps
    assert figures["search_share"] == 0.5  # of 128 plans
    assert figures["distance_m"] == pytest.approx(125.0)  # 25 steps of sqrt(3² + 4²) m
    assert figures["mean_speed_mps"] == pytest.approx(23.0)  # of 11 to 35
    assert figures["settled_speed_mps"] is None  # after 2 s nothing is settled
    assert figures["max_speed_mps"] == pytest.approx(35.0)
    assert figures["off_track_share"] == pytest.approx(5 / 25)  # steps 5, 10, 15, 20, 25
    assert figures["collisions"] == 1
    assert figures["lane_invasions_per_min"] == pytest.approx(60.0)  # 2 in 2 s; the third came after the end
    assert figures["lane_invasions_per_km"] == pytest.approx(16.0)  # 2 in 125 m
    assert figures["steering_change"] == pytest.approx(0.1)
    # 0.08 m/s² in every 0.08 s
    assert (figures["jerk_rms"], figures["jerk_max"]) == pytest.approx((1.0, 1.0))
    sideways = 12.5 + 0.08 * np.arange(1, 26)
    assert figures["lateral_acceleration_rms"] == pytest.approx(np.sqrt((sideways**2).mean()))
    assert figures["lateral_acceleration_p95"] == pytest.approx(np.percentile(sideways, 95))
    assert figures["deadline_misses"] == 1  # step 3 had no command
    assert figures["latency_ms"] == [20.0] * 24
    assert figures["braking_reasons"] == {"… s too late": 2}
    assert figures["braking_share"] == pytest.approx(2 / 25) and figures["degraded_share"] == pytest.approx(2 / 25)
    assert figures["progress"] is figures["lap_finished"] is None  # not CarRacing


def test_a_disturbed_trip_has_the_planners_own_latency():
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    fill(collector)
    (trip,) = collector.close()
    assert episode_figures(trip, PERIOD_S, CARRACING.map_name, disturbed=True)["latency_ms"] == [9.0] * 25


def test_a_simulator_without_step_results_gives_what_its_topics_tell_and_none_for_the_rest():
    collector = StatusCollector(PERIOD_S, 10)
    collector.begin(None)
    fill(collector)
    assert collector.episode_over
    (trip,) = collector.close()
    figures = episode_figures(trip, PERIOD_S, "Town01")
    assert figures["steps"] == 10 and figures["time_s"] == pytest.approx(0.8)
    assert figures["mean_speed_mps"] == pytest.approx(15.5)  # of 11 to 20
    assert figures["collisions"] == 1 and figures["jerk_rms"] == pytest.approx(1.0)
    assert figures["latency_ms"] == [9.0] * 10
    unknown = {name for name, value in figures.items() if value is None}
    assert unknown == {
        *("score", "progress", "lap_finished", "off_track_share"),
        *("driving_score", "driving_score_2_1", "route_completion", "infraction_penalty"),
        *("red_lights_per_km", "route_deviations", "close_share", "settled_speed_mps"),
    }
    assert figures["collisions_per_km"] == pytest.approx(1000 / 50.0)  # 10 steps of 5 m


def test_carlas_waypoints_tell_the_completion_of_this_episode_and_whether_the_car_left_them():
    def figures(route):
        collector = StatusCollector(PERIOD_S, 10)
        collector.begin(None)
        fill(collector)
        (trip,) = collector.close()
        return episode_figures(trip, PERIOD_S, "Town01", route=route)

    # The car comes from (3, 4) to (30, 40), 45 m, on a line of 100 m that begins 20 m before it.
    along = np.array([0.6, 0.8])
    told = figures(Route.of_points([-15 * along, 85 * along], "map"))
    assert told["route_completion"] == pytest.approx(45.0) and told["route_deviations"] == 0.0
    assert told["driving_score"] is None  # nobody tells what was hit
    beside = figures(Route.of_points([(40.0, 0.0), (40.0, -100.0)], "map"))  # up to 40 m away
    assert beside["route_deviations"] == 1.0
    assert figures(None)["route_completion"] is None


def test_a_simulator_without_the_sensors_of_events_does_not_tell_that_there_was_none():
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    for k in range(6):
        collector.add_step(StepSample(stamp(k), 0.0, 0, 20.0, truncated=k == 5))
        collector.add_motion(MotionSample(stamp(k), 10.0, 0.0, 0.0, 0.0))
    (trip,) = collector.close()
    figures = episode_figures(trip, PERIOD_S, None)
    names = ("collisions", "collisions_per_km", "lane_invasions_per_min", "lane_invasions_per_km")
    assert [figures[name] for name in names] == [None] * 4
    collector.told |= {"collision", "lane_invasion"}  # as soon as their topics are there, none is none
    (trip,) = collector.close()
    assert [episode_figures(trip, PERIOD_S, None)[name] for name in names] == [0, 0.0, 0.0, 0.0]


def test_a_collision_that_lasts_is_one_collision_and_another_actor_is_another():
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    fill_only = [(1, 7), (2, 7), (3, 7), (3, 8), (9, 7), (80, 7)]  # (step, actor); 5 s are 62.5 steps
    for k in range(101):
        collector.add_step(StepSample(stamp(k), 0.0, 0, 20.0, truncated=k == 100))
    for k, actor in fill_only:
        collector.add_collision(stamp(k), actor)
    (trip,) = collector.close()
    assert trip.collisions == [stamp(1), stamp(3), stamp(80)]


def test_a_made_stream_of_a_town_has_a_driving_score():
    """A route of 100 m driven to 80 %, one red light and one collision, one tenth of it off the road."""
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    begun = {10: ("red_light",), 40: ("collision_vehicle",)}
    for k in range(81):
        off, close = 4 if 20 < k <= 30 else 0, 1.0 if k > 60 else math.inf
        told = begun.get(k, ()), 0.01 * k, close
        collector.add_step(StepSample(stamp(k), 0.0, off, 20.0, False, k == 80, *told))
        collector.add_motion(MotionSample(stamp(k), 12.5, 0.0, 0.0, 0.0, (0.0, 0.0 if k < 41 else 3.0), math.pi / 2))
        collector.add_position(stamp(k), 0.0, 1.0 * k)
    (trip,) = collector.close()
    figures = episode_figures(trip, PERIOD_S, "town")
    assert figures["route_completion"] == pytest.approx(70.0)  # 80 of 100 m, 10 of them off the road
    assert figures["infraction_penalty"] == pytest.approx(0.42)  # 0.7 * 0.6
    assert figures["driving_score"] == pytest.approx(29.4)
    assert figures["driving_score_2_1"] == pytest.approx(70.0 / 2.1)
    assert figures["collisions_per_km"] == figures["red_lights_per_km"] == pytest.approx(12.5)  # one in 80 m
    assert figures["close_share"] == pytest.approx(0.25) and figures["route_deviations"] == 0.0
    assert figures["comfortable_share"] == pytest.approx(0.5)  # 3.0 m/s² ahead is more than 2.40


@pytest.mark.parametrize("frame_s", [0.02, 0.033, 0.065, PERIOD_S])
def test_steps_are_control_periods_however_often_the_server_sends(frame_s):
    collector = StatusCollector(PERIOD_S, 10)
    collector.add_motion(MotionSample(round(4.9e9), 3.0, 0.0, 0.0, 0.0))  # the server reports before the trip begins
    collector.begin(None)
    for k in range(round(2.0 / frame_s)):
        collector.add_motion(MotionSample(round((5.0 + k * frame_s) * 1e9), 3.0, 0.0, 0.0, 0.0))
    assert collector.episode_over
    (trip,) = collector.close()
    figures = episode_figures(trip, PERIOD_S, None)
    assert figures["steps"] == 10 and figures["time_s"] == pytest.approx(0.8, abs=frame_s)


def test_time_that_goes_back_ends_the_trip():
    collector = StatusCollector(PERIOD_S, 10)
    collector.begin(None)
    collector.add_motion(MotionSample(round(50e9), 3.0, 0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="went back by 40.0 s"):
        collector.add_motion(MotionSample(round(10e9), 3.0, 0.0, 0.0, 0.0))


def test_a_trip_that_never_began_has_figures_too():
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    (trip,) = collector.close()
    figures = episode_figures(trip, PERIOD_S, None)
    assert figures["steps"] == 0 and figures["score"] is None and figures["mean_speed_mps"] is None


def test_steps_of_more_than_a_second_are_counted():
    times = iter([0.0, 100.0, 100.9, 102.0, 102.1, 104.0])  # made; first tick after 100 s; steps after 0.9, 1.1, 0.1 s
    collector = EpisodeCollector(PERIOD_S, 3, clock=lambda: next(times))
    collector.begin(3)
    for k in range(5):
        collector.add_step(StepSample(stamp(k), 0.0, 0, 20.0))
    assert collector.current.slow_steps == 1  # the last came after the end


def test_the_distance_is_that_of_the_speed_where_there_is_no_odometry():
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    for k in range(6):
        collector.add_step(StepSample(stamp(k), 0.0, 0, 20.0, truncated=k == 5))
        collector.add_motion(MotionSample(stamp(k), 10.0, 0.0, 0.0, 0.0))
    (trip,) = collector.close()
    # 10 m/s between the first and the last of five statuses: four periods of 0.08 s.
    assert episode_figures(trip, PERIOD_S, None)["distance_m"] == pytest.approx(3.2)


@pytest.mark.parametrize(
    "action, steps, ending",
    [((0.0, 0.3, 0.0), 60, "stopped"), ((0.0, 0.4, 0.0), 400, "left the field"), ((1.0, 0.1, 0.0), 400, "time limit")],
)
def test_progress_is_the_share_of_the_tiles_that_carracing_itself_counts(action, steps, ending):
    """Straight on for a while, straight off the field, and in circles until the time is over."""
    world, collector = CarRacingWorld(PERIOD_S), EpisodeCollector(PERIOD_S, steps)
    world.reset(3000)
    collector.begin(3000)
    collector.add_step(StepSample(stamp(0), 0.0, 0, 20.0))
    for k in range(1, steps + 1):
        done = world.step(*action)
        collector.add_step(StepSample(stamp(k), done.reward, 0, 20.0, done.terminated, done.truncated))
        if collector.episode_over:
            break
    (trip,) = collector.close()
    environment = world._env
    share = environment.tile_visited_count / len(environment.track)
    assert share > 0.01 and trip.ending(CARRACING) == ending
    assert episode_figures(trip, PERIOD_S, CARRACING.map_name)["progress"] == pytest.approx(share, abs=1e-4)


def test_the_settled_speed_leaves_out_the_first_five_seconds():
    collector = EpisodeCollector(PERIOD_S)
    collector.begin(3)
    fill(collector)
    (trip,) = collector.close()
    times = enumerate(trip.motions[:9])  # one a second
    slow = [replace(one, stamp_ns=trip.start_ns + second * 10**9, speed=second) for second, one in times]
    found = episode_figures(replace(trip, motions=slow), PERIOD_S, "Town01")
    assert found["settled_speed_mps"] == pytest.approx(7.0)  # of 6, 7 and 8

"""Recorded rows through the node's own logic: what is planned is what the node would have planned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures_rosbag import CAMERA, VEHICLE, Recording, control, image, stamped, write_bag
from wm_bundle import load_bundle
from wm_bundle.pictures.frames import Frame, RawImage
from wm_data.episodes import rows_of
from wm_planner.assembly import build
from wm_planner.config import PlannerConfig
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.modes import Mode
from wm_sim.commands import Command
from wm_sim.simulation import Simulation
from wm_tools.evaluate_bag import recording
from wm_tools.evaluate_bag.offline_pilot import OfflinePilot

SHIPPED = Path(__file__).parents[3] / "models" / "carracing"
UNHURRIED = {"bundle": str(SHIPPED), "deadline_ms": 10_000.0, "deadline_frames": 0}  # a whole search on any machine


def read(source, bundle):
    return list(recording.Recording(source, load_bundle(bundle).manifest).stretches())


def test_planned_commands_are_those_of_a_pilot_that_is_fed_by_hand(options, bundle, raw_bag):
    config = options().config(bundle)
    (stretch,) = read(raw_bag, bundle)
    decided, _ = OfflinePilot(config, print).decide(stretch)
    pilot = build(config, print, clock=lambda: 7.0).pilot
    episode = stretch.episode
    for row in range(len(episode)):
        stamp_ns = int(episode.stamps_ns[row])
        applied = tuple((episode.actions[row - 1] if row else stretch.applied_before).tolist())
        pilot.take("speed", Sample(stamp_ns, float(episode.vector[row, 0]), applied))
        pixels = np.ascontiguousarray(episode.observations[row].transpose(1, 2, 0)).tobytes()
        decision = pilot.decide(Frame(stamp_ns, (RawImage(stamp_ns, 64, 64, "rgb8", 192, pixels),), 7.0))
        assert (decision.command == decided.planned[row]).all() and int(decision.mode) == decided.mode[row]
    assert np.unique(decided.planned[:, 0]).size > 50  # a planner that always says the same would prove nothing


def test_the_search_is_never_cut_short_however_slow_the_machine(options, bundle, raw_bag):
    config = options().config(bundle)
    (stretch,) = read(raw_bag, bundle)
    replay = OfflinePilot(config, print)
    replay.parts.planner.expect(0.1, 1)  # [s] for one plan: 600 of them in a minute
    slow = replay.decide(stretch.first_rows(30))[0].planned
    assert (slow == OfflinePilot(config, print).decide(stretch.first_rows(30))[0].planned).all()


def test_an_ended_episode_begins_a_new_belief_and_an_uninterrupted_one_goes_on_with_it(options, bundle, raw_bag):
    (stretch,) = read(raw_bag, bundle)
    _, whole = OfflinePilot(options().config(bundle), print).decide(stretch)
    head = stretch.first_rows(40)
    tail = replace(stretch, episode=rows_of(stretch.episode, 40, 99), applied_before=None)
    for ended, begins in ((False, False), (True, True)):
        replay = OfflinePilot(options().config(bundle), print)
        replay.decide(replace(head, ended=ended))
        _, second = replay.decide(tail)
        assert second.first[0] == begins and second.age[0] == (1 if begins else 41)
        assert np.allclose(second.kept, whole.kept[40:], atol=1e-6) == (not begins)


def test_another_drive_begins_anew_though_its_stamps_are_those_of_the_first(options, bundle, raw_bag):
    (stretch,) = read(raw_bag, bundle)
    stretch = stretch.first_rows(20)
    replay = OfflinePilot(options().config(bundle), print)
    one, _ = replay.decide(stretch)
    other, beliefs = replay.decide(replace(stretch, drive=1))
    assert (one.planned == other.planned).all() and (other.mode == Mode.DRIVING).all() and beliefs.first[0]


def test_surprise_brakes_and_the_rows_after_it_have_no_belief_to_predict_from(options, bundle, raw_bag, tmp_path):
    from tiny_bundle import make_tiny_bundle

    jumpy = make_tiny_bundle(tmp_path / "jumpy", surprise_threshold=0.1)
    (stretch,) = read(raw_bag, jumpy)
    decided, beliefs = OfflinePilot(options(bundle=jumpy).config(jumpy), print).decide(stretch)
    braking = decided.mode == Mode.BRAKING
    assert braking.any() and np.isnan(decided.planned[braking]).all()
    assert all(
        reason.startswith("surprise was") for reason, brakes in zip(decided.reason, braking, strict=True) if brakes
    )
    lost = beliefs.age == 0
    assert lost.any() and np.isnan(beliefs.kept[lost]).all() and np.isfinite(beliefs.seen[lost]).all()


@pytest.fixture(scope="module")
def own_drive(tmp_path_factory) -> Path:
    """A bag of the shipped bundle's planner driving the built-in simulator in lock-step, 5 s."""
    parts = build(PlannerConfig(**UNHURRIED), print, clock=lambda: 0.0)
    simulation = Simulation(parts.bundle.manifest.control_period_s, 7001)
    bag, tick = Recording(), simulation.tick(Command())
    for _ in range(63):
        stamp, picture = tick.stamp_ns, np.ascontiguousarray(simulation.world.image())
        height, width, size = picture.shape
        applied = (tick.applied.steer, tick.applied.throttle, tick.applied.brake)
        bag.add(
            f"{VEHICLE}/vehicle_status",
            "carla_msgs/msg/CarlaEgoVehicleStatus",
            stamp,
            header=stamped(stamp),
            velocity=tick.state.speed,
            control=control(*applied, stamp_ns=stamp),
        )
        reward = tick.outcome.reward
        bag.add(f"{VEHICLE}/step_result", "wm_msgs/msg/StepResult", stamp, header=stamped(stamp), reward=reward)
        encoding = {3: "rgb8", 4: "bgra8"}[size]
        bag.add(CAMERA, "sensor_msgs/msg/Image", stamp, **image(stamp, picture, encoding))
        parts.pilot.take("speed", Sample(stamp, tick.state.speed, applied))
        seen = RawImage(stamp, height, width, encoding, size * width, picture.data)
        decision = parts.pilot.decide(Frame(stamp, (seen,), 0.0))
        tick = simulation.tick(Command(*(float(number) for number in decision.command)))
    return write_bag(tmp_path_factory.mktemp("own") / "drive", bag)


def test_the_planners_own_drive_is_planned_again_as_it_was_driven(own_drive):
    (stretch,) = read(own_drive, SHIPPED)
    decided, _ = OfflinePilot(PlannerConfig(**UNHURRIED, preprocessed_images=True), print).decide(stretch)
    assert len(stretch.episode) == 62 and (decided.mode == Mode.DRIVING).all()
    distance = np.abs(decided.planned - stretch.episode.actions).max()
    assert distance < 1e-5, distance
    assert np.abs(stretch.episode.actions[:, 0]).max() > 0.1  # it steered

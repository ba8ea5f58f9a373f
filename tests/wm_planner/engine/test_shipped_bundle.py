"""The shipped bundle in the built-in simulator, in this process: wrong pictures, and the return of true ones."""

from pathlib import Path

import numpy as np
import pytest
from wm_bundle.pictures.frames import Frame, RawImage
from wm_planner.assembly import build
from wm_planner.config import PlannerConfig
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.modes import Mode
from wm_sim.commands import Command
from wm_sim.simulation import Simulation

BUNDLE = Path(__file__).parents[3] / "models" / "carracing"


class Driver:
    """The pilot drives the simulator; what its camera shows is ``show`` of the true picture."""

    def __init__(self, seed: int):
        parts = build(PlannerConfig(bundle=str(BUNDLE)), log=lambda line: None, clock=lambda: 0.0)  # time stands still
        self._pilot = parts.pilot
        self._simulation = Simulation(parts.bundle.manifest.control_period_s, seed)
        self._tick = self._simulation.tick(Command())

    def modes(self, frames: int, show=lambda picture: picture) -> list[Mode]:
        """Drive for some frames; returns the mode after each."""
        found = []
        for _ in range(frames):
            tick, picture = self._tick, np.ascontiguousarray(show(self._simulation.world.image()))
            applied = (tick.applied.steer, tick.applied.throttle, tick.applied.brake)
            self._pilot.take("speed", Sample(tick.stamp_ns, tick.state.speed, applied))
            height, width = picture.shape[:2]
            image = RawImage(tick.stamp_ns, height, width, "rgb8", 3 * width, picture.data)
            decision = self._pilot.decide(Frame(tick.stamp_ns, (image,), 0.0))
            found.append(decision.mode)
            self._tick = self._simulation.tick(Command(*(float(number) for number in decision.command)))
        return found

    @property
    def speed_mps(self) -> float:
        return self._tick.state.speed


def noise(picture):
    return np.random.default_rng(int(picture.sum())).integers(0, 256, picture.shape, dtype=np.uint8)


def left_half_black(picture):
    """Of all wrong pictures of docs/safety.md the one that a standing model is surprised least by."""
    return np.where(np.arange(picture.shape[1])[:, None] < picture.shape[1] // 2, np.uint8(0), picture)


@pytest.fixture
def driver() -> Driver:
    driver = Driver(seed=7001)
    assert set(driver.modes(50)) == {Mode.DRIVING} and driver.speed_mps > 20.0
    return driver


def test_wrong_pictures_brake_at_the_fourth_and_the_standing_vehicle_drives_on_with_true_ones(driver):
    modes = driver.modes(30, noise)
    assert modes == [Mode.DRIVING] + [Mode.DEGRADED] * 2 + [Mode.BRAKING] * 27
    assert driver.speed_mps < 0.1
    modes = driver.modes(30)
    assert modes[:10] == [Mode.BRAKING] * 10 and modes[25:] == [Mode.DRIVING] * 5


def test_a_standing_vehicle_does_not_drive_on_while_the_pictures_stay_wrong(driver):
    modes = driver.modes(100, left_half_black)
    assert modes[3:] == [Mode.BRAKING] * 97

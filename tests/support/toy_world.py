"""A world that is nowhere but here: importing this module registers it, as its line in wm_sim/worlds.py would."""

import math

import numpy as np
from wm_sim.spawn import NATIVE_VIEW, SensorSpec
from wm_sim.world import CarBody, CarState, StepOutcome, World
from wm_sim.world_facts import WorldFacts
from wm_sim.worlds import WORLDS

HOME = "came home"


class ToyFacts(WorldFacts):
    name = "toy"
    map_name = "Toyland"
    description = "a line with a home"
    episode_s = 8.0
    implementation = "toy_world:ToyWorld"
    success = HOME

    def early_ending(self, last):
        return HOME if last.reward > 0 else "got lost"

    def progress(self, steps, period_s):
        return sum(step.reward for step in steps)


class ToyWorld(World):
    car = CarBody("vehicle.toy", 1.0, (1.0, 1.0, 1.0), 0.5, 0.1, ((0.5, 0.0),))
    camera = SensorSpec(NATIVE_VIEW, "rgb_front", width=8, height=8)

    def _begin(self, seed):
        self.x = 0.0

    def _advance(self, steer, throttle, brake):
        self.x += throttle
        home = self.x >= 3.0
        return StepOutcome(float(home), home, False, self.frames_per_tick, HOME if home else "")

    def state(self):
        return CarState(self.x, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)

    def image(self):
        return np.zeros((8, 8, 3), np.uint8)

    def layers(self):
        return []

    def place(self, x, y, yaw):
        self.x = x

    def push(self, forward, left, yaw_rate):
        pass

    def waypoints(self):
        return np.array([[0.0, 0.0], [3.0, 0.0]])

    def expert(self):
        return self

    def act(self, state):
        return 0.0, math.copysign(1.0, 3.0 - state.x), 0.0


WORLDS["toy"] = ToyFacts()

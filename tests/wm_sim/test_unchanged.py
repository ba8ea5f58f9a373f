"""What a bundle was trained on must not change: an episode's pictures, rewards and states, kept as hashes."""

import hashlib
import math

from wm_sim.carracing.world import CarRacingWorld

# Of gymnasium's CarRacing-v3 as pinned in requirements; a new version of it that draws or drives otherwise makes the
# shipped bundle worthless, and this test says so.
PICTURES = "54d555442370bbaabeb2282051f4951e6d02b8da1f97facc5e15fe1732f9e0b3"
REWARDS = "4506c45a6a7982540bdca9eb217d06f92534af810e6e6af4d29cfdd5a2c0e2dd"


def test_pictures_and_rewards_of_an_episode_are_those_the_bundles_were_made_with():
    world = CarRacingWorld(0.08)
    world.reset(31)
    pictures, rewards = hashlib.sha256(world.image().tobytes()), []
    for k in range(100):
        outcome = world.step(0.2 * math.sin(0.23 * k), 0.05 if k % 9 else 0.0, 0.0 if k % 31 else 0.4)
        pictures.update(world.image().tobytes())
        rewards.append(f"{outcome.reward:.6f}")
    assert hashlib.sha256(" ".join(rewards).encode()).hexdigest() == REWARDS
    assert pictures.hexdigest() == PICTURES

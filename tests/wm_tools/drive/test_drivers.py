"""Properties: random drives are a function of the seed, and every command is one that a car takes."""

import numpy as np
from wm_tools.drive.drivers import EchoDriver, RandomDriver


def walk(driver: RandomDriver, seed: int, steps: int = 300) -> np.ndarray:
    driver.begin(seed)
    return np.array([driver.command(None) for _ in range(steps)])


def test_random_is_a_function_of_the_seed():
    driver = RandomDriver()
    first = walk(driver, 2000)
    assert not np.array_equal(first, walk(driver, 2001))
    assert np.array_equal(first, walk(driver, 2000))


def test_random_commands_are_smooth_and_in_range():
    commands = walk(RandomDriver(), 1, 5000)
    steer, throttle, brake = commands.T
    assert np.abs(steer).max() <= 1.0 and commands[:, 1:].min() >= 0.0 and commands.max() <= 1.0
    assert (throttle * brake == 0.0).all()
    assert np.corrcoef(steer[:-1], steer[1:])[0, 1] > 0.7


def test_echo_repeats_the_experts_command_for_the_same_frame():
    driver = EchoDriver()
    driver.begin(1)
    assert driver.needs_expert and driver.command((0.5, 0.2, 0.0)) == (0.5, 0.2, 0.0)

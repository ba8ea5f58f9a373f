"""A drive with many corners, as numbers."""

from collections.abc import Iterator
from random import Random

PERIOD_S = 0.08


def town(turns: int, seed: int = 0, curvature: float = 0.3, delay: int = 0, speed: float = 8.0) -> Iterator:
    """(steer, speed, yaw rate) of a drive with corners to either side, straights, stops and a little noise; the vehicle
    turns ``delay`` periods after its steering."""
    random, steers, speeds = Random(seed), [0.0] * 30, [speed] * 30
    for _ in range(turns):
        steer = random.choice((-1, 1)) * random.uniform(0.2, 0.6)
        seconds = random.uniform(0.8, 1.6) / (curvature * speed * abs(steer))  # until it has turned by 0.8 to 1.6 rad
        steers += [steer] * round(seconds / PERIOD_S) + [0.0] * random.randrange(10, 60)
        speeds += [speed] * (len(steers) - len(speeds))
        if random.random() < 0.3:
            steers += [steer] * 20
            speeds += [0.0] * 20
    for n, (steer, now) in enumerate(zip(steers, speeds, strict=True)):
        earlier = steers[max(0, n - delay)]
        yield steer + random.gauss(0.0, 0.02), now, -curvature * now * earlier + random.gauss(0.0, 0.02)

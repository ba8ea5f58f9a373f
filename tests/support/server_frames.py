"""A camera's stamps on a simulator that runs free."""

from random import Random


def camera_stamps(frames_per_s: float, jitter: float, images: int, lost: float = 0.0) -> tuple[list[float], list[int]]:
    """The stamps [s] of a camera with ``sensor_tick`` 0.08 s, as CARLA's, and the periods since the image before: it
    fires on the first frame of the server that is due, and the next one is due 0.08 s after this one was."""
    random, stamp_s, due_s, numbers, stamps_s = Random(1), 0.0, 0.01, [], []
    for number in range(images):
        while stamp_s < due_s:
            stamp_s += max(0.002, random.gauss(1.0, jitter) / frames_per_s)
        due_s = due_s + 0.08 if stamp_s - due_s < 0.08 else stamp_s + 0.08
        if random.random() >= lost:
            numbers.append(number)
            stamps_s.append(stamp_s)
    return stamps_s, [number - last for last, number in zip([-1, *numbers], numbers, strict=False)]

"""Pictures that were sent and not received, and what to do where shared memory is too small for them."""

from collections.abc import Callable, Sequence

from wm_bundle.processes.ros_distribution import dds_profiles_variable
from wm_bundle.processes.shared_memory import largest_segment

from wm_planner.launching.transport import PROFILE


class PictureLoss:
    """Counts by the publishers' sequence numbers. A picture that a newer one replaced while the planner was busy counts
    too: that is normal in real time, not in lock-step."""

    def __init__(self, cameras: Sequence[str], segment: Callable[[], int | None] = largest_segment):
        """``cameras``: their names, in the bundle's order; ``segment``: the bytes of the largest one."""
        self._cameras = tuple(cameras)
        self._segment = segment
        self.missed: dict[str, int] = {}
        """Pictures sent but not received, by camera."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.missed.update(dict.fromkeys(self._cameras, 0))
        self._last: list[int | None] = [None] * len(self._cameras)
        self._bytes = [0] * len(self._cameras)

    def take(self, camera: int, size: int, number: int | None) -> None:
        """A picture of ``size`` bytes came. ``number``: its publisher counts from 1 (None: unknown, as on Humble)."""
        last, self._last[camera] = self._last[camera], number
        self._bytes[camera] = size
        if last and number and number > last:  # else the publisher is a new one
            self.missed[self._cameras[camera]] += number - last - 1

    def faults(self) -> list[str]:
        """One line if pictures are missed and shared memory has no room for all cameras' pictures of one moment."""
        if not any(self.missed.values()):
            return []
        needed, largest = sum(self._bytes), self._segment()
        if largest is None or needed <= largest:
            return []
        return [
            f"images are lost: those of one moment have {needed / 1e6:.1f} MB, the largest shared-memory segment in "
            f"use {largest / 1e6:.1f} MB; start their publisher with {dds_profiles_variable()}="
            f"$(ros2 pkg prefix --share wm_planner)/{PROFILE} (docs/topics.md, Large pictures)"
        ]

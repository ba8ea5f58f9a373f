"""Joins pictures that several cameras took at the same moment."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from wm_bundle.pictures.frames import Frame, RawImage
from wm_bundle.times import NS_PER_S


@dataclass(frozen=True)
class SynchroniserCounts:
    """Counts of pictures since activation.

    ``frames`` passed on, ``incomplete`` of them without one or more cameras; ``dropped`` pictures: too late for their
    frame, duplicate, or replaced by a newer one of the same camera and moment.
    """

    frames: int = 0
    incomplete: int = 0
    dropped: int = 0


class CameraSynchroniser:
    """Pictures in, frames out; every frame has at least one picture, and their stamps never decrease.

    Pictures whose stamps differ by at most the tolerance from the first one of their frame belong to it. A complete
    frame is passed on at once. An incomplete one is passed on, with None for what is missing, at its deadline or when a
    picture of a later moment arrives. When a camera's stamps jump back (another episode, a bag that restarts),
    everything restarts. With one camera every picture is a frame, even if its stamp stands still: the pilot handles
    that."""

    def __init__(
        self, cameras: int, tolerance_s: float, deadline_s: float, clock: Callable[[], float] = time.monotonic
    ):
        """``tolerance_s`` between stamps; ``deadline_s`` [s of ``clock``] from a frame's first picture."""
        self._cameras = cameras
        self._tolerance_ns = int(tolerance_s * NS_PER_S)
        self._deadline_s = deadline_s
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget everything: the node is being activated."""
        self.counts = SynchroniserCounts()
        self._forget()

    def _forget(self) -> None:
        self._last_ns: list[int | None] = [None] * self._cameras  # of each camera
        self._given_on_ns: int | None = None  # the last frame's moment
        self._images: dict[int, RawImage] = {}
        self._moment_ns = 0  # of the current frame: its first picture's stamp
        self._due_s = 0.0
        self._received_s = 0.0

    def add(self, camera: int, image: RawImage, received_s: float | None = None) -> list[Frame]:
        """Add a picture of the camera with this index in the bundle; returns the frames now ready, oldest first.

        ``received_s`` is when it arrived [s of ``clock``], by default now: a picture may wait to be added.
        """
        received_s = self._clock() if received_s is None else received_s
        if self._cameras == 1:
            return [self._count(Frame(image.stamp_ns, (image,), received_s))]
        last_ns, self._last_ns[camera] = self._last_ns[camera], image.stamp_ns
        if image.stamp_ns == last_ns:
            return self._drop()
        if last_ns is not None and image.stamp_ns < last_ns:
            self._forget()
            self._last_ns[camera] = image.stamp_ns
        if self._given_on_ns is not None and image.stamp_ns <= self._given_on_ns + self._tolerance_ns:
            return self._drop()
        ready = []
        if self._images:
            if image.stamp_ns < self._moment_ns - self._tolerance_ns:
                return self._drop()
            if image.stamp_ns > self._moment_ns + self._tolerance_ns:
                ready.append(self._give_on())
            elif camera in self._images:  # a camera faster than the tolerance: its newest picture is used
                self._drop()
        if not self._images:
            self._moment_ns = image.stamp_ns
            self._due_s = self._clock() + self._deadline_s
            self._received_s = received_s
        self._images[camera] = image
        self._received_s = max(self._received_s, received_s)
        if len(self._images) == self._cameras:
            ready.append(self._give_on())
        return ready

    def wait_s(self) -> float | None:
        """Time until ``overdue`` returns the current frame [s]; None without one."""
        return max(0.0, self._due_s - self._clock()) if self._images else None

    def overdue(self) -> Frame | None:
        """The current frame if its deadline is over, with None for the cameras that are missing."""
        return self._give_on() if self._images and self._clock() >= self._due_s else None

    def _give_on(self) -> Frame:
        images = tuple(self._images.get(camera) for camera in range(self._cameras))
        # The latest of the stamps, so that no picture within the tolerance of any of them counts as a later moment.
        self._given_on_ns = max(image.stamp_ns for image in self._images.values())
        self._images = {}
        stamp_ns = next(image.stamp_ns for image in images if image is not None)
        return self._count(Frame(stamp_ns, images, self._received_s))

    def _count(self, frame: Frame) -> Frame:
        self.counts = replace(
            self.counts, frames=self.counts.frames + 1, incomplete=self.counts.incomplete + (None in frame.images)
        )
        return frame

    def _drop(self) -> list[Frame]:
        self.counts = replace(self.counts, dropped=self.counts.dropped + 1)
        return []

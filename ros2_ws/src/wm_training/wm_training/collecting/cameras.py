"""The recorder's cameras: topics in, one picture of all cameras per moment out.

Shapes: K cameras, height and width H, W of the recorded pictures.
"""

from collections.abc import Callable, Sequence

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image
from wm_bundle import CameraSpec, ImagePreprocessor
from wm_bundle.pictures.frames import Frame, RawImage
from wm_bundle.pictures.synchroniser import CameraSynchroniser
from wm_bundle.times import NS_PER_S, ns_of

OnPicture = Callable[[int, np.ndarray, np.ndarray], None]
"""Takes the stamp [ns], the picture (3 K, H, W) uint8 RGB, and the mask of its cameras, (K,) bool."""


class Cameras:
    """Subscribes to the cameras of one car and joins their pictures by stamp, like the planner."""

    def __init__(
        self,
        node: Node,
        prefix: str,
        names: Sequence[str],
        image_size: int,
        tolerance_s: float,
        deadline_s: float,
        on_picture: OnPicture,
        on_error: Callable[[Exception], None],
    ):
        """``names`` are the sensor ids below the topic ``prefix``, ``image_size`` [px] what pictures are resized to;
        ``tolerance_s`` and ``deadline_s`` [s] are the synchroniser's. ``on_error`` gets the reason why a picture is
        unusable."""
        self._node = node
        self._names = tuple(names)
        self._size = image_size
        self._on_picture, self._on_error = on_picture, on_error
        self._synchroniser = CameraSynchroniser(len(self._names), tolerance_s, deadline_s)
        self._preprocess: list[ImagePreprocessor | None] = [None] * len(self._names)
        self.topics = [  # a subscription has its remapped name
            node.create_subscription(
                Image, f"{prefix}/{name}/image", lambda message, index=index: self._on_image(index, message), 10
            ).topic_name
            for index, name in enumerate(self._names)
        ]
        self._deadline = node.create_timer(deadline_s, self._on_deadline, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._deadline.cancel()

    @property
    def specs(self) -> tuple[CameraSpec, ...] | None:
        """Name and size of each camera, None until all have sent a picture."""
        return None if None in self._preprocess else tuple(each.camera for each in self._preprocess)

    def unpublished(self) -> list[str]:
        """Topics without a publisher."""
        return [topic for topic in self.topics if not self._node.count_publishers(topic)]

    def silent(self) -> list[str]:
        """Topics on which no picture arrived."""
        return [topic for topic, known in zip(self.topics, self._preprocess, strict=True) if known is None]

    def restart(self) -> None:
        """Drop pictures that wait for others: the next ones belong to another drive."""
        self._synchroniser.reset()
        self._deadline.cancel()

    def _on_image(self, camera: int, message: Image) -> None:
        if self._preprocess[camera] is None:
            try:
                spec = CameraSpec(self._names[camera], message.height, message.width)
                self._preprocess[camera] = ImagePreprocessor(spec, self._size, self._size)
            except ValueError as error:
                self._on_error(error)
                return
        image = RawImage(
            ns_of(message.header.stamp), message.height, message.width, message.encoding, message.step, message.data
        )
        for frame in self._synchroniser.add(camera, image):
            self._give_on(frame)
        wait_s = self._synchroniser.wait_s()
        if wait_s is None:
            self._deadline.cancel()
        else:
            self._deadline.timer_period_ns = max(1, int(wait_s * NS_PER_S))
            self._deadline.reset()

    def _on_deadline(self) -> None:
        frame = self._synchroniser.overdue()
        if frame is not None:  # else the timer was a little early and comes again
            self._deadline.cancel()
            self._give_on(frame)

    def _give_on(self, frame: Frame) -> None:
        picture = np.zeros((3 * len(self._names), self._size, self._size), np.uint8)
        try:
            for index, image in enumerate(frame.images):
                if image is not None:
                    picture[3 * index : 3 * index + 3] = self._preprocess[index](
                        image.height, image.width, image.encoding, image.step, image.data
                    )
        except ValueError as error:  # an exception in a callback would only print a traceback: the caller reports it
            self._on_error(error)
            return
        self._on_picture(frame.stamp_ns, picture, np.array([image is not None for image in frame.images]))

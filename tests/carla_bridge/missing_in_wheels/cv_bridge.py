"""The part of cv_bridge that CARLA's bridge uses, for a ROS 2 without it."""

import array

import numpy as np
from sensor_msgs.msg import Image


class CvBridge:
    """Images from arrays."""

    def cv2_to_imgmsg(self, picture, encoding="passthrough"):
        """An Image of a picture (H, W[, C]) in the given encoding."""
        picture = np.ascontiguousarray(picture)
        message = Image(height=picture.shape[0], width=picture.shape[1], encoding=encoding)
        message.step = picture.nbytes // picture.shape[0]
        message.data = array.array("B", picture.tobytes())
        return message

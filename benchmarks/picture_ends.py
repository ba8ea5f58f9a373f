"""Both ends of a picture's way, as children of ``picture_way``: a camera and a viewer that answers every picture.

``python -m benchmarks.picture_ends JSON``: the viewer runs until its standard input ends, the camera for its pictures.
"""

import array
import sys
import threading
import time

import numpy as np

from benchmarks.children import child_main
from benchmarks.errors import BenchmarkError
from benchmarks.timing import timed

_START_S = 30.0
_SETTLE_S = 0.5  # until both sides know each other
_ANSWER_S = 1.0  # longest wait for an answer, as in CARLA's bridge


def _image(width: int, height: int):
    from sensor_msgs.msg import Image

    pixels = np.random.default_rng(0).integers(0, 256, 4 * width * height, np.uint8)
    data = array.array("B", pixels.tobytes())
    return Image(height=height, width=width, encoding="bgra8", step=4 * width, data=data)


def _node(name: str):
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    rclpy.init()
    node, executor = rclpy.create_node(name), SingleThreadedExecutor()
    executor.add_node(node)
    return node, executor


def view(settings: dict) -> dict:
    """Nanoseconds by the picture's number: when the callback began (steady clock), in the middleware, from there to the
    callback, and for the numpy view."""
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header
    from wm_bundle.processes.memory import keep_freed_memory
    from wm_planner.node.endpoints import NEWEST

    if settings["keeps_memory"]:
        keep_freed_memory()
    node, executor = _node("viewer")
    answers = node.create_publisher(Header, "/answer", QoSProfile(depth=1))
    seen: dict[int, list[int]] = {}

    def take(message: Image, info: dict) -> None:
        begun_ns, now_ns = time.monotonic_ns(), time.time_ns()
        np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 4)
        view_ns = time.monotonic_ns() - begun_ns
        received_ns = info["received_timestamp"]
        way = [begun_ns, received_ns - info["source_timestamp"], now_ns - received_ns, view_ns]
        seen[message.header.stamp.sec] = way
        answers.publish(message.header)

    node.create_subscription(Image, "/picture", take, NEWEST[settings["reliability"]])
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    while not over.is_set():
        executor.spin_once(timeout_sec=0.1)
    return {"seen": seen}


def send(settings: dict) -> dict:
    """Nanoseconds by the picture's number: when publishing began and how long it took, and when the answer came.
    Raises BenchmarkError without a viewer."""
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    node, executor = _node("camera")
    pictures = node.create_publisher(Image, "/picture", QoSProfile(depth=10))
    answered: dict[int, int] = {}
    node.create_subscription(
        Header, "/answer", lambda message: answered.setdefault(message.stamp.sec, time.monotonic_ns()), 10
    )
    end_s = time.monotonic() + _START_S
    while not (pictures.get_subscription_count() and node.count_publishers("/answer")):
        if time.monotonic() > end_s:
            raise BenchmarkError(f"no viewer within {_START_S:g} s")
        time.sleep(0.05)
    time.sleep(_SETTLE_S)
    sent, message = {}, _image(settings["width"], settings["height"])
    for number in range(1, settings["pictures"] + 1):
        message.header.stamp.sec = number
        begun_ns = time.monotonic_ns()
        pictures.publish(message)
        sent[number] = [begun_ns, time.monotonic_ns() - begun_ns]
        while number not in answered and time.monotonic_ns() - begun_ns < _ANSWER_S * 1e9:
            executor.spin_once(timeout_sec=0.01)
    return {"sent": sent, "answered": answered}


def convert(settings: dict) -> dict:
    """Median seconds to serialise and to deserialise a picture in rclpy, and to copy its bytes."""
    from rclpy.serialization import deserialize_message, serialize_message
    from sensor_msgs.msg import Image

    message = _image(settings["width"], settings["height"])
    data, pixels = serialize_message(message), np.frombuffer(message.data, np.uint8)
    copy = np.empty_like(pixels)
    calls = {
        "serialise": lambda: serialize_message(message),
        "deserialise": lambda: deserialize_message(data, Image),
        "copy": lambda: np.copyto(copy, pixels),
    }
    return {name: float(np.median(timed(call, settings["pictures"], 2.0))) for name, call in calls.items()}


if __name__ == "__main__":
    sys.exit(child_main(lambda settings: {"view": view, "send": send, "convert": convert}[settings["role"]](settings)))

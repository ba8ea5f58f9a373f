"""Cameras without a simulator, as a process of its own: in every tick a picture of each, then it waits for an answer.

    python picture_process.py TICKS CAMERAS WIDTH HEIGHT

Publishes on /camera0, /camera1, … as CARLA's bridge does (reliable, keep last 10, bgra8); an answer is the header of a
tick on /answer. A tick without one lasts 5 s. Prints how many ticks had one, and the size of
its shared memory.
"""

import array
import sys
import time

import rclpy
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from wm_bundle.processes.shared_memory import largest_segment

WAIT_S = 5.0


def main() -> None:
    ticks, cameras, width, height = map(int, sys.argv[1:])
    rclpy.init()
    node = rclpy.create_node("picture_process")
    answers: set[int] = set()
    node.create_subscription(Header, "/answer", lambda message: answers.add(message.stamp.sec), QoSProfile(depth=10))
    publishers = [node.create_publisher(Image, f"/camera{index}", QoSProfile(depth=10)) for index in range(cameras)]
    deadline_s = time.monotonic() + 30.0
    while not (
        all(publisher.get_subscription_count() for publisher in publishers) and node.count_publishers("/answer")
    ):
        if time.monotonic() > deadline_s:
            raise SystemExit("nobody looks within 30 s")
        rclpy.spin_once(node, timeout_sec=0.05)
    picture = Image(
        height=height, width=width, encoding="bgra8", step=4 * width, data=array.array("B", bytes(4 * width * height))
    )
    for tick in range(1, ticks + 1):
        picture.header.stamp.sec = tick
        for publisher in publishers:
            publisher.publish(picture)
        deadline_s = time.monotonic() + WAIT_S
        while tick not in answers and time.monotonic() < deadline_s:
            rclpy.spin_once(node, timeout_sec=0.05)
    print(f"answered {len(answers)} of {ticks}, segment of {largest_segment()} bytes", flush=True)
    while True:  # stays, as a bridge does
        rclpy.spin_once(node, timeout_sec=1.0)


if __name__ == "__main__":
    main()

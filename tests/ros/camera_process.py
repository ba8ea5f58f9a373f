"""A simulator's part in the planner's tests, as a process of its own: speed and images at a steady rate.

    python camera_process.py --ticks 25 [--width 96] [--encoding bgra8] [--period 0.08] [--speed none] ...

Every tick publishes the speed, then one image of each camera, all with the stamp (first + tick) * period, and then
waits until the period is over and a command came, like the bridge's waiting mode at most 1 s. It begins when both
sides know each other, and prints "done" when all ticks are out; then it stays, so that nothing but the images stops.
Before that a line "extra" for each command beyond the first one with the same stamp.
"""

import argparse
import array
import time

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from nav_msgs.msg import Odometry
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float32

ROOT = "/carla/ego_vehicle"
HEIGHT = 96
SPEED_MPS = 5.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--first", type=int, default=1, help="number of the first tick")
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--encoding", default="bgra8")
    parser.add_argument("--period", type=float, default=0.08)
    parser.add_argument("--speed", default="status", choices=["status", "odometry", "speedometer", "none"])
    parser.add_argument("--best-effort-status", action="store_true")
    parser.add_argument("--best-effort-images", action="store_true")
    parser.add_argument("--cameras", nargs="+", default=["rgb_front"])
    parser.add_argument("--without", nargs=2, default=["", "0"], help="a camera, and its first tick without a picture")
    parser.add_argument("--compressed", action="store_true")
    return parser.parse_args()


def qos_of(best_effort: bool) -> QoSProfile:
    reliability = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
    return QoSProfile(depth=10, reliability=reliability)


class Senders:
    """The publishers of the speed and of the images."""

    def __init__(self, node, options):
        self.options = options
        kind, leaf = {
            "status": (CarlaEgoVehicleStatus, "vehicle_status"),
            "odometry": (Odometry, "odometry"),
            "speedometer": (Float32, "speedometer"),
            "none": (None, ""),
        }[options.speed]
        self.speed = kind and node.create_publisher(kind, f"{ROOT}/{leaf}", qos_of(options.best_effort_status))
        image, ending = (CompressedImage, "/compressed") if options.compressed else (Image, "")
        self.images = {
            name: node.create_publisher(image, f"{ROOT}/{name}/image{ending}", qos_of(options.best_effort_images))
            for name in options.cameras
        }

    def known(self) -> bool:
        """Whether the planner listens to all of them; a reliable subscriber never hears a best-effort publisher."""
        needed = list(self.images.values())
        if self.speed and not self.options.best_effort_status:
            needed.append(self.speed)
        return all(publisher.get_subscription_count() > 0 for publisher in needed)

    def send(self, tick: int, stamp: Time) -> None:
        """Everything of one tick. Every picture is another one, as a driving car's are."""
        options = self.options
        if options.speed == "status":
            message = CarlaEgoVehicleStatus(velocity=SPEED_MPS)
            message.header.stamp = stamp
            self.speed.publish(message)
        elif options.speed == "odometry":
            message = Odometry()
            message.header.stamp = stamp
            message.twist.twist.linear.x = SPEED_MPS
            self.speed.publish(message)
        elif options.speed == "speedometer":
            self.speed.publish(Float32(data=-SPEED_MPS))
        for name, publisher in self.images.items():
            if name != options.without[0] or tick < int(options.without[1]):
                publisher.publish(self.picture(50 + tick % 150, stamp))

    def picture(self, grey: int, stamp: Time):
        """An image of one grey, whatever the encoding says."""
        width = self.options.width
        if self.options.compressed:
            _, data = cv2.imencode(".jpg", np.full((HEIGHT, width, 3), grey, np.uint8))
            message = CompressedImage(format="rgb8; jpeg compressed bgr8", data=array.array("B", data.tobytes()))
        else:
            message = Image(
                height=HEIGHT,
                width=width,
                encoding=self.options.encoding,
                step=4 * width,
                data=array.array("B", [grey]) * (HEIGHT * 4 * width),
            )
        message.header.stamp = stamp
        return message


def main() -> None:
    options = arguments()
    rclpy.init()
    node = rclpy.create_node("camera_process")
    senders = Senders(node, options)
    commands = []
    node.create_subscription(
        CarlaEgoVehicleControl,
        f"{ROOT}/vehicle_control_cmd",
        lambda message: commands.append(message.header.stamp),
        QoSProfile(depth=10),
    )
    deadline_s = time.monotonic() + 30.0
    while not commands or not senders.known():
        if time.monotonic() > deadline_s:
            raise SystemExit("no planner within 30 s")
        rclpy.spin_once(node, timeout_sec=0.02)
    for tick in range(options.ticks):
        begin_s = time.monotonic()
        stamp_ns = round((options.first + tick) * options.period * 1e9)
        stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        senders.send(tick, stamp)
        sent_s = time.monotonic()
        while time.monotonic() < begin_s + options.period or (
            stamp not in commands and time.monotonic() < begin_s + 1.0
        ):
            rclpy.spin_once(node, timeout_sec=0.005)
    answered = [stamp for stamp in commands if stamp != Time()]
    print("extra\n" * (len(answered) - len(set(map(str, answered)))), end="", flush=True)
    print(f"done {sent_s}", flush=True)
    while rclpy.ok():
        time.sleep(0.1)


if __name__ == "__main__":
    main()

"""A simulator's part in the planner's tests, as a process of its own: status and image at a steady rate.

    python camera_process.py --ticks 25 [--width 96] [--encoding bgra8] [--period 0.08] [--no-status]

Every tick publishes vehicle_status, then the image, both with the stamp (first + tick) * period, and then waits until
the period is over and a command came, like the bridge's waiting mode at most 1 s. It begins when both sides know each
other, and prints "done" when all ticks are out; then it stays, so that nothing but the images stops.
"""

import argparse
import array
import time

import rclpy
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ticks", type=int, required=True)
    parser.add_argument("--first", type=int, default=1, help="number of the first tick")
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--encoding", default="bgra8")
    parser.add_argument("--period", type=float, default=0.08)
    parser.add_argument("--no-status", action="store_true")
    options = parser.parse_args()
    rclpy.init()
    node = rclpy.create_node("camera_process")
    images = node.create_publisher(Image, "/carla/ego_vehicle/rgb_front/image", QoSProfile(depth=10))
    statuses = node.create_publisher(CarlaEgoVehicleStatus, "/carla/ego_vehicle/vehicle_status", QoSProfile(depth=10))
    commands = []
    node.create_subscription(
        CarlaEgoVehicleControl, "/carla/ego_vehicle/vehicle_control_cmd",
        lambda message: commands.append(message.header.stamp), QoSProfile(depth=10))
    deadline_s = time.monotonic() + 30.0
    while not commands or images.get_subscription_count() == 0 or statuses.get_subscription_count() == 0:
        if time.monotonic() > deadline_s:
            raise SystemExit("no planner within 30 s")
        rclpy.spin_once(node, timeout_sec=0.02)
    pixels = array.array("B", [100] * (96 * options.width * 4))
    for tick in range(options.ticks):
        begin_s = time.monotonic()
        stamp_ns = round((options.first + tick) * options.period * 1e9)
        stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        if not options.no_status:
            status = CarlaEgoVehicleStatus(velocity=5.0)
            status.header.stamp = stamp
            statuses.publish(status)
        image = Image(height=96, width=options.width, encoding=options.encoding, step=4 * options.width, data=pixels)
        image.header.stamp = stamp
        images.publish(image)
        sent_s = time.monotonic()
        while time.monotonic() < begin_s + options.period or (
                stamp not in commands and time.monotonic() < begin_s + 1.0):
            rclpy.spin_once(node, timeout_sec=0.005)
    print(f"done {sent_s}", flush=True)
    while rclpy.ok():
        time.sleep(0.1)


if __name__ == "__main__":
    main()

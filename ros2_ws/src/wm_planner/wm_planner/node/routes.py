"""Subscriptions of the route and the odometry that it is followed by. Wiring only."""

import importlib

import numpy as np
from nav_msgs.msg import Odometry
from rclpy.serialization import deserialize_message
from wm_bundle.rotation import yaw_of
from wm_bundle.routes.serialised import points_of_path
from wm_bundle.times import ns_of

from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.node.endpoints import RELIABLE, Endpoints
from wm_planner.pilot.guide import Guide

_TYPES = {"path": ("nav_msgs", "Path", "poses"), "autoware": ("autoware_planning_msgs", "Trajectory", "points")}
_UNIT_WITHIN = 0.1  # an orientation that nobody set is 0


def subscribe_route(endpoints: Endpoints, config: PlannerConfig, guide: Guide) -> None:
    """Pass routes and odometry to the guide if it needs them; routes also while the node is inactive, because some are
    sent only once.

    Raises ConfigError where the type of ``route_source`` is not installed, and InvalidTopicNameException.
    """
    if not guide.active:
        return
    package, name, field = _TYPES[config.route_source]
    try:
        kind = getattr(importlib.import_module(f"{package}.msg"), name)
    except ImportError:
        raise ConfigError(
            f"parameter route_source: {config.route_source} needs the package {package}, which is not installed here"
        ) from None

    last = b""

    def on_route(message) -> None:
        positions = [entry.pose.position for entry in getattr(message, field)]
        guide.take_route(np.array([(at.x, at.y) for at in positions]), message.header.frame_id)

    def on_path(data: bytes) -> None:
        nonlocal last
        if data == last:  # by both subscriptions, or sent again
            return
        last, read = data, points_of_path(data)
        if read is None:
            on_route(deserialize_message(data, kind))
        else:
            guide.take_route(*read)

    def on_odometry(message: Odometry) -> None:
        pose, velocity = message.pose.pose, message.twist.twist.linear
        at, turned = pose.position, pose.orientation
        norm = turned.x**2 + turned.y**2 + turned.z**2 + turned.w**2
        yaw = yaw_of(turned.x, turned.y, turned.z, turned.w) if abs(norm - 1.0) <= _UNIT_WITHIN else np.nan
        speed = float(np.hypot(velocity.x, velocity.y))
        guide.take_odometry(ns_of(message.header.stamp), message.header.frame_id, (at.x, at.y, yaw), speed)

    topic = config.topic("route_topic")
    raw = config.route_source == "path"
    for subscribe in (endpoints.subscription, endpoints.latched):
        subscribe(kind, topic, on_path if raw else on_route, RELIABLE, raw=raw)
    endpoints.subscription(Odometry, config.topic("odometry_topic"), on_odometry, RELIABLE)

"""Orders from the test, as JSON datagrams on a port of 127.0.0.1 that the log names: faults, and questions."""

import json
import socket
from dataclasses import dataclass

from .values import BLUEPRINTS, Body, numbers


@dataclass
class Faults:
    """What was ordered and is in force."""

    stall_s: float = 0.0  # of the next tick
    frozen: bool = False  # cameras repeat their last picture
    blind: bool = False  # cameras send nothing
    collisions: int = 0  # to be reported
    other_car: Body | None = None  # which the car collides with

    def take_stall(self) -> float:
        seconds, self.stall_s = self.stall_s, 0.0
        return seconds


def serve(server) -> None:
    """Answer orders while the server runs."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.bind(("127.0.0.1", 0))
    server.log(event="orders", port=channel.getsockname()[1])
    while server.running:
        text, sender = channel.recvfrom(4096)
        order = json.loads(text)
        server.log(event="order", **order)
        try:
            answer = _ORDERS[order.pop("do")](server, **order)
        except Exception as error:  # the answer tells the test
            answer = {"error": repr(error)}
        channel.sendto(json.dumps(answer).encode(), sender)


def _state(server):
    cars = {
        id_: {
            "role_name": body.attributes["role_name"],
            "speed": body.speed,
            "place": body.state.place,
            "yaw": body.state.turn[1],
            "control": numbers(body.control),
            "autopilot": body.autopilot,
        }
        for id_, body in server.actors.items()
        if body.is_vehicle
    }
    return {"frame": server.frame, "elapsed": server.elapsed, "synchronous": server.synchronous, "cars": cars}


def _set(server, **values):
    for name, value in values.items():
        setattr(server.faults, name, value)
    return {}


def _spawn(server, kind, attributes=None, point=1):
    place = server.spawn_points()[point]
    return {"id": server.spawn(kind, {**BLUEPRINTS[kind], **(attributes or {})}, place, 0).id}


_ORDERS = {
    "state": _state,
    "stall": lambda server, seconds: _set(server, stall_s=seconds),
    "freeze": lambda server, on: _set(server, frozen=on),
    "blind": lambda server, on: _set(server, blind=on),
    "collide": lambda server, count=1: _set(server, collisions=count),
    "load_world": lambda server, name: server.load_world(name) or {},
    "spawn": _spawn,
    "destroy": lambda server, id: {"found": server.destroy(id)},
    "teleport": lambda server, id, point: server.set_transform(id, server.spawn_points()[point]) or {},
}

"""The simulation: a flat world, ticks, actors, and threads for free running, sensors, traffic manager and orders.

The command that was applied last before a tick acts in it, whoever sent it. Environment variables:

- CARLA_STAND_IN_LOG: JSON lines of every tick and command, the ground truth (`rig.Truth` reads them)
- CARLA_STAND_IN_STEP: seconds of a step while the server runs freely, 0.02
- CARLA_STAND_IN_RENDER: seconds from a tick to its pictures, 0.01
- CARLA_STAND_IN_TRAFFIC: seconds from a tick to the traffic manager's command, 0.003
"""

import atexit
import itertools
import json
import math
import os
import queue
import threading
import time

import numpy as np

from . import libcarla, orders, physics, road, sensors
from .values import CAR, Body, Snapshot, State, copied, numbers

START_S = 12.345678  # the server has run before
_FIRST_FRAME, _FIRST_ID = 431, 20
_DEFAULT_STEP_S = 0.05


def _seconds(name: str, default: float) -> float:
    return float(os.environ.get(f"CARLA_STAND_IN_{name}", default))


class Log:
    """Appends JSON lines with their wall time; without a file it does nothing."""

    def __init__(self, file: str | None):
        self._stream = open(file, "a", buffering=1) if file else None
        self._lock = threading.Lock()

    def __call__(self, **entry) -> None:
        if self._stream:
            with self._lock:
                self._stream.write(json.dumps({"wall": time.time(), **entry}) + "\n")


class Server:
    def __init__(self):
        self.log = Log(os.environ.get("CARLA_STAND_IN_LOG"))
        self.lock = threading.RLock()
        self.ticked = threading.Condition()
        self.episode = 1
        self.synchronous, self.delta = False, None
        self.callbacks, self.listeners, self._jobs = {}, {}, queue.Queue()
        self.faults = orders.Faults()
        self.running = True
        self._begin("Carla/Maps/Town10HD_Opt")

    def _begin(self, map_name: str) -> None:
        self.map_name = map_name
        self.frame, self.elapsed = _FIRST_FRAME, START_S
        self.actors, self._ids = {}, itertools.count(_FIRST_ID)
        self.all = {}  # destroyed ones too: a client may still hold them
        self.spectator = self._add("spectator", {}).id
        self._add("traffic.speed_limit.30", {})
        self._add("traffic.traffic_light", {})
        other = self._add("vehicle.nissan.micra", CAR)
        other.state.place = (*road.point(0.5), 0.0)
        self.faults.other_car = other
        self._snap(_DEFAULT_STEP_S)

    def _add(self, type_id, attributes, parent=0, relative=None) -> Body:
        body = Body(next(self._ids), type_id, dict(attributes), parent, relative)
        self.actors[body.id] = self.all[body.id] = body
        return body

    def _snap(self, delta: float) -> None:
        for body in self.actors.values():
            if body.parent in self.actors:
                body.state = self._attached(body)
            if body.is_vehicle:
                body.state.control = copied(body.control)
        states = {id_: State(**vars(body.state)) for id_, body in self.actors.items()}
        stamp = libcarla.Timestamp(self.frame, self.elapsed, delta, time.time())
        self.snapshot = Snapshot(self.frame, stamp, states)

    def _attached(self, body: Body) -> State:
        parent = self.actors[body.parent].state
        # The relative transform is in the parent's axes; turns simply add up, the road is flat.
        place = parent.transform().transform(body.relative.location)
        turn = body.relative.rotation
        return State((place.x, place.y, place.z), (turn.pitch, turn.yaw + parent.turn[1], turn.roll))

    # What clients ask for

    def load_world(self, name: str) -> None:
        with self.lock:
            self.log(event="load_world", name=name)
            self.episode += 1
            self.listeners.clear()
            self.callbacks.clear()
            self.synchronous, self.delta = False, None
            self._begin(name if "/" in name else f"Carla/Maps/{name}")

    def apply_settings(self, synchronous: bool, delta: float | None) -> None:
        self.log(event="settings", synchronous=synchronous, delta=delta)
        self.synchronous, self.delta = synchronous, delta

    def spawn_points(self) -> list:
        return [
            libcarla.Transform(
                libcarla.Location(*road.point(share), 0.5), libcarla.Rotation(0.0, road.heading(share), 0.0)
            )
            for share in (0.0, 0.1, 0.3)
        ]

    def spawn(self, kind: str, attributes: dict, transform, parent: int) -> Body:
        with self.lock:
            body = self._add(kind, attributes, parent, transform)
            turn, place = transform.rotation, transform.location
            height = 0.0 if body.is_vehicle else place.z
            body.state = State((place.x, place.y, height), (turn.pitch, turn.yaw, turn.roll))
            self.log(
                event="spawn",
                id=body.id,
                kind=kind,
                attributes=attributes,
                parent=parent,
                place=[place.x, place.y, place.z],
                turn=[turn.pitch, turn.yaw, turn.roll],
            )
            return body

    def destroy(self, id_: int) -> bool:
        with self.lock:
            self.listeners.pop(id_, None)
            found = self.actors.pop(id_, None) is not None
            self.log(event="destroy", id=id_, found=found)
            return found

    def apply_control(self, id_: int, control, by: str) -> None:
        with self.lock:
            self.log(
                event="apply",
                by=by,
                id=id_,
                frame=self.frame,
                control=numbers(control),
                more=[control.hand_brake, control.reverse, control.manual_gear_shift, control.gear],
            )
            if id_ in self.actors:
                self.actors[id_].control = copied(control)

    def set_autopilot(self, id_: int, enabled: bool) -> None:
        self.log(event="autopilot", id=id_, enabled=enabled)
        self.actors[id_].autopilot = enabled

    def set_transform(self, id_: int, transform) -> None:
        with self.lock:
            state, place, turn = self.actors[id_].state, transform.location, transform.rotation
            state.place, state.turn = (place.x, place.y, 0.0), (turn.pitch, turn.yaw, turn.roll)
            self.log(event="set_transform", id=id_, place=[place.x, place.y, place.z], yaw=turn.yaw)

    def set_velocity(self, id_: int, velocity) -> None:
        yaw = math.radians(self.actors[id_].state.turn[1])
        self.actors[id_].speed = velocity.x * math.cos(yaw) + velocity.y * math.sin(yaw)

    # Time

    def tick(self) -> int:
        stall_s = self.faults.take_stall()
        if stall_s:
            self.log(event="stall", seconds=stall_s)
            time.sleep(stall_s)
        return self._advance(self.delta or _DEFAULT_STEP_S)

    def _advance(self, delta: float) -> int:
        """One step; returns its frame. Told outside of the lock: a listener may wait for one who spawns."""
        with self.lock:
            self._step(delta)
            snapshot = self.snapshot
        for callback in list(self.callbacks.values()):
            callback(snapshot)
        with self.ticked:
            self.ticked.notify_all()
        return snapshot.frame

    def _step(self, delta: float) -> None:
        delta = float(np.float32(delta))  # CARLA keeps the step in single precision and the sum in double
        self.frame += 1
        self.elapsed += delta
        for body in list(self.actors.values()):
            if body.is_vehicle:
                physics.drive(body, delta)
        self._snap(delta)
        cars = {
            id_: [round(body.speed, 4), numbers(body.control)]
            for id_, body in self.actors.items()
            if body.is_vehicle and body.attributes["role_name"] != "autopilot"
        }
        self.log(event="tick", frame=self.frame, elapsed=self.elapsed, cars=cars)
        self._jobs.put((self.snapshot, {id_: body for id_, body in self.actors.items() if id_ in self.listeners}))

    def wait_for_tick(self, seconds: float) -> Snapshot:
        with self.ticked:
            if not self.ticked.wait(seconds):
                raise RuntimeError("time-out while waiting for a tick")
        return self.snapshot

    # Threads

    def run_freely(self) -> None:
        """The server's own time while it is not synchronous."""
        step_s, last = _seconds("STEP", 0.02), time.monotonic()
        while self.running:
            time.sleep(step_s)
            now = time.monotonic()
            if not self.synchronous:
                self._advance(self.delta or (now - last))
            last = now

    def stream(self) -> None:
        """Calls the sensors' listeners, as the streams' thread of CARLA's client does."""
        delay_s = _seconds("RENDER", 0.01)
        while self.running:
            snapshot, bodies = self._jobs.get()
            if delay_s and bodies:
                time.sleep(delay_s)
            for id_, body in bodies.items():
                callback = self.listeners.get(id_)
                data = sensors.measure(body, snapshot, self.faults) if callback and id_ in snapshot.states else None
                if data is not None:
                    try:
                        callback(data)
                    except Exception as error:  # the bridge's fault, which the tests want to see
                        self.log(event="callback failed", id=id_, error=repr(error))

    def manage_traffic(self) -> None:
        """The traffic manager, not synchronous: one command for each frame, after it."""
        delay_s, last = _seconds("TRAFFIC", 0.003), 0
        while self.running:
            time.sleep(0.0005)
            snapshot = self.snapshot
            if snapshot.frame == last:
                continue
            last = snapshot.frame
            time.sleep(delay_s)
            for id_, body in list(self.actors.items()):
                if body.autopilot and id_ in snapshot.states:
                    self.apply_control(id_, physics.autopilot(snapshot.states[id_]), "traffic manager")


def start() -> Server:
    """Run the server's threads until the process ends."""
    server = Server()
    for target in (server.run_freely, server.stream, server.manage_traffic, lambda: orders.serve(server)):
        threading.Thread(target=target, daemon=True).start()
    atexit.register(setattr, server, "running", False)
    return server

"""The `carla` module for the ROS bridge without a CARLA server.

Value types (Transform, VehicleControl, WorldSettings, enumerations, …) are the real client's: WM_CARLA_CLIENT names the
folder in which it is unpacked. Client, World, Map and actors are written here, on the simulation in `server`. What a
client sees of an actor is the last tick's snapshot, as with CARLA.
"""

import fnmatch
import os

__path__.append(os.path.join(os.environ["WM_CARLA_CLIENT"], "carla"))
from .libcarla import *  # noqa: E402, F403
from .libcarla import (  # noqa: E402
    BoundingBox,
    Location,
    TrafficLightState,
    Vector3D,
    VehiclePhysicsControl,
    WheelPhysicsControl,
    WorldSettings,
)
from .server import start as _start  # noqa: E402
from .values import BLUEPRINTS as _BLUEPRINTS  # noqa: E402
from .values import NOWHERE as _NOWHERE  # noqa: E402

VERSION = "0.9.16"
_SERVER = _start()


class Client:
    def __init__(self, host="127.0.0.1", port=2000, worker_threads=0):
        self.server = _SERVER

    def set_timeout(self, seconds):
        assert 0.0 < float(seconds)

    def get_client_version(self):
        return VERSION

    def get_server_version(self):
        if os.environ.get("CARLA_STAND_IN_ABSENT"):
            raise RuntimeError(
                "time-out of 30000ms while waiting for the simulator, make sure the simulator is ready "
                "and connected to localhost:2000"
            )
        return os.environ.get("CARLA_STAND_IN_VERSION", VERSION)

    def get_world(self):
        return World(self.server)

    def load_world(self, name, reset_settings=True):
        self.server.load_world(name)
        return World(self.server)

    def generate_opendrive_world(self, opendrive):
        return self.load_world("OpenDriveMap")


class _Blueprint:
    def __init__(self, kind, attributes):
        self.id = kind
        self.attributes = dict(attributes)
        self.tags = kind.split(".")

    def set_attribute(self, key, value):
        if key not in self.attributes:
            raise IndexError(f"attribute '{key}' not found")  # std::out_of_range
        self.attributes[key] = value

    def has_attribute(self, key):
        return key in self.attributes


class _Library(list):
    def find(self, kind):
        for blueprint in self:
            if blueprint.id == kind:
                return blueprint
        raise IndexError(f"blueprint '{kind}' not found")

    def filter(self, pattern):
        return _Library(blueprint for blueprint in self if fnmatch.fnmatch(blueprint.id, pattern))


class Map:
    def __init__(self, server):
        self.name = server.map_name
        self._server = server

    def get_spawn_points(self):
        return self._server.spawn_points()

    def to_opendrive(self):
        return "<OpenDRIVE/>"


class _Debug:
    pass


class World:
    def __init__(self, server):
        self._server = server
        self._episode = server.episode
        self.debug = _Debug()

    def _check(self):
        if self._episode != self._server.episode:
            raise RuntimeError(
                "trying to access an expired episode; a new episode was started in the simulation but an "
                "object was created in the previous one"
            )

    def get_settings(self):
        self._check()
        settings = WorldSettings()
        settings.synchronous_mode = self._server.synchronous
        settings.fixed_delta_seconds = self._server.delta
        return settings

    def apply_settings(self, settings, seconds=0.0):
        self._check()
        self._server.apply_settings(settings.synchronous_mode, settings.fixed_delta_seconds)

    def get_map(self):
        self._check()
        return Map(self._server)

    def get_blueprint_library(self):
        self._check()
        return _Library(_Blueprint(kind, attributes) for kind, attributes in _BLUEPRINTS.items())

    def get_actors(self):
        self._check()
        return [self._actor(id_) for id_ in list(self._server.snapshot.states) if id_ in self._server.all]

    def get_actor(self, id_):
        self._check()
        return self._actor(id_) if id_ in self._server.all else None

    def _actor(self, id_):
        return _actor_class(self._server.all[id_].type_id)(self._server, self._server.all[id_])

    def spawn_actor(self, blueprint, transform, attach_to=None, attachment_type=None):
        self._check()
        body = self._server.spawn(blueprint.id, blueprint.attributes, transform, attach_to.id if attach_to else 0)
        return self._actor(body.id)

    def try_spawn_actor(self, *args, **kwargs):
        try:
            return self.spawn_actor(*args, **kwargs)
        except RuntimeError:
            return None

    def get_spectator(self):
        return self._actor(self._server.spectator)

    def tick(self, seconds=10.0):
        self._check()
        return self._server.tick()

    def wait_for_tick(self, seconds=10.0):
        self._check()
        return self._server.wait_for_tick(seconds)

    def get_snapshot(self):
        self._check()
        return self._server.snapshot

    def on_tick(self, callback):
        self._check()
        self._server.callbacks[id(callback)] = callback
        return id(callback)

    def remove_on_tick(self, id_):
        self._server.callbacks.pop(id_, None)

    def set_weather(self, weather):
        pass

    def get_environment_objects(self, label):
        return []


class Actor:
    def __init__(self, server, body):
        self._server = server
        self._body = body
        self.id = body.id
        self.type_id = body.type_id
        self.attributes = body.attributes
        self.bounding_box = BoundingBox(Location(0.0, 0.0, 0.7), Vector3D(2.4, 1.0, 0.75))

    @property
    def parent(self):
        id_ = self._body.parent
        return (
            _actor_class(self._server.all[id_].type_id)(self._server, self._server.all[id_])
            if id_ and id_ in self._server.all
            else None
        )

    @property
    def is_alive(self):
        return self.id in self._server.actors

    def _state(self):
        return self._server.snapshot.states.get(self.id, _NOWHERE)

    def get_world(self):
        return World(self._server)

    def get_transform(self):
        return self._state().transform()

    def get_location(self):
        return self.get_transform().location

    def get_velocity(self):
        return Vector3D(*self._state().velocity)

    def get_angular_velocity(self):  # degrees per second
        return Vector3D(0.0, 0.0, self._state().yaw_rate)

    def get_acceleration(self):
        return Vector3D(*self._state().acceleration)

    def set_transform(self, transform):
        self._server.set_transform(self.id, transform)

    def set_target_velocity(self, velocity):
        self._server.set_velocity(self.id, velocity)

    def set_target_angular_velocity(self, velocity):
        pass

    def destroy(self):
        return self._server.destroy(self.id)


class Vehicle(Actor):
    def get_control(self):
        return self._state().control

    def apply_control(self, control):
        self._server.apply_control(self.id, control, "client")

    def set_autopilot(self, enabled=True, port=8000):
        self._server.set_autopilot(self.id, enabled)

    def get_physics_control(self):
        physics = VehiclePhysicsControl()
        wheels = []
        for ahead, right in ((1.4, -0.8), (1.4, 0.8), (-1.4, -0.8), (-1.4, 0.8)):
            place = self.get_transform().transform(Location(ahead, right, 0.3))
            wheels.append(
                WheelPhysicsControl(
                    tire_friction=3.5,
                    damping_rate=0.25,
                    max_steer_angle=70.0 if ahead > 0 else 0.0,
                    radius=35.0,
                    max_brake_torque=700.0,
                    max_handbrake_torque=1400.0 if ahead < 0 else 0.0,
                    position=Vector3D(place.x * 100, place.y * 100, place.z * 100),
                )
            )
        physics.wheels = wheels
        physics.mass = 1845.0
        return physics


class Walker(Actor):
    pass


class TrafficLight(Actor):
    def get_state(self):
        return TrafficLightState.Green

    trigger_volume = property(lambda self: BoundingBox(Location(), Vector3D(1, 1, 1)))


class Sensor(Actor):
    @property
    def is_listening(self):
        return self.id in self._server.listeners

    def listen(self, callback):
        self._server.listeners[self.id] = callback

    def stop(self):
        self._server.listeners.pop(self.id, None)


def _actor_class(type_id):
    if type_id == "traffic.traffic_light":
        return TrafficLight
    return {"vehicle": Vehicle, "walker": Walker, "sensor": Sensor}.get(type_id.split(".")[0], Actor)

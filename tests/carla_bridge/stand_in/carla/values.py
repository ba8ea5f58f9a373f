"""What the server holds of its actors, in CARLA's axes: x ahead, y right, z up, yaw clockwise [degrees]."""

from dataclasses import dataclass, field

from . import libcarla

CAMERA = {
    "image_size_x": "800",
    "image_size_y": "600",
    "fov": "90.0",
    "sensor_tick": "0.0",
    "role_name": "front",
    "gamma": "2.2",
    "motion_blur_intensity": "0.45",
    "bloom_intensity": "0.675",
    "iso": "100.0",
}
SENSOR = {"sensor_tick": "0.0", "role_name": "front"}
EVENT = {"role_name": "front"}
CAR = {"role_name": "autopilot", "color": "17,37,103", "number_of_wheels": "4", "object_type": "", "base_type": "car"}
BLUEPRINTS = {
    "vehicle.tesla.model3": CAR,
    "vehicle.nissan.micra": CAR,
    "sensor.camera.rgb": CAMERA,
    "sensor.other.imu": SENSOR,
    "sensor.other.gnss": SENSOR,
    "sensor.other.collision": EVENT,
    "sensor.other.lane_invasion": EVENT,
}


@dataclass
class State:
    """What a snapshot has of an actor."""

    place: tuple = (0.0, 0.0, 0.0)
    turn: tuple = (0.0, 0.0, 0.0)  # pitch, yaw, roll [degrees]
    velocity: tuple = (0.0, 0.0, 0.0)
    acceleration: tuple = (0.0, 0.0, 0.0)
    yaw_rate: float = 0.0  # [degrees/s]
    control: object = None

    def transform(self):
        return libcarla.Transform(libcarla.Location(*self.place), libcarla.Rotation(*self.turn))


NOWHERE = State(control=libcarla.VehicleControl())


@dataclass
class Body:
    """An actor in the server."""

    id: int
    type_id: str
    attributes: dict
    parent: int = 0
    relative: object = None  # transform in the parent's axes
    state: State = field(default_factory=State)
    speed: float = 0.0
    control: object = field(default_factory=libcarla.VehicleControl)
    autopilot: bool = False
    next_s: float = 0.0  # of a sensor
    offset: float = 0.0  # to the right of the lane's middle [m]
    last_picture: bytes = b""

    @property
    def is_vehicle(self) -> bool:
        return self.type_id.startswith("vehicle")


@dataclass
class Snapshot:
    frame: int
    timestamp: object
    states: dict[int, State]


def copied(control):
    return libcarla.VehicleControl(
        throttle=control.throttle,
        steer=control.steer,
        brake=control.brake,
        hand_brake=control.hand_brake,
        reverse=control.reverse,
        manual_gear_shift=control.manual_gear_shift,
        gear=control.gear,
    )


def numbers(control) -> list[float]:
    """[steer, throttle, brake] for the log."""
    return [round(control.steer, 6), round(control.throttle, 6), round(control.brake, 6)]

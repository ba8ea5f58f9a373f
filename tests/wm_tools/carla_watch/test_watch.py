"""When a drive through CARLA's bridge counts as over: each state may last for a while."""

import pytest
from wm_tools.carla_watch.watch import GONE_S, RIVAL_S, SENSORS_S, SILENCE_S, SPAWN_S, START_S, CarlaWatch

STATUS, IMAGE, IMU = (f"/carla/ego_vehicle/{name}" for name in ("vehicle_status", "rgb_front/image", "imu"))
WELL = {"/carla/status": 1, STATUS: 1, IMAGE: 1, IMU: 1, "/carla/ego_vehicle/vehicle_control_cmd": 2}


class Drive:
    """A watch that looks twice a second."""

    def __init__(self):
        self.now_s = 1000.0
        self.watch = CarlaWatch("ego_vehicle", ["rgb_front", "imu"], lambda: self.now_s)

    def goes_on(self, seconds: float, publishers: dict[str, int], ticks: bool = True) -> str | None:
        """What the watch says within these seconds."""
        for _ in range(int(2 * seconds)):
            self.now_s += 0.5
            if ticks:
                self.watch.tick(running=True)
            if over := self.watch.look(publishers):
                return over
        return None


@pytest.fixture
def drive() -> Drive:
    return Drive()


def test_a_drive_that_goes_well_is_never_over(drive):
    assert drive.goes_on(START_S - 1, {}, ticks=False) is None  # a large map is loaded
    assert drive.goes_on(SPAWN_S - 1, {}) is None
    assert drive.goes_on(3600, WELL) is None


def test_a_bridge_whose_ticks_end_ends_the_drive_and_a_stall_does_not(drive):
    drive.goes_on(10, WELL)
    assert drive.goes_on(SILENCE_S - 1, WELL, ticks=False) is None
    assert drive.goes_on(1, WELL) is None
    assert "has not ticked for 30 s though its process runs" in drive.goes_on(SILENCE_S + 1, WELL, ticks=False)


def test_a_paused_bridge_may_be_silent_for_ever_until_it_plays(drive):
    drive.goes_on(10, WELL)
    drive.watch.tick(running=False)
    assert drive.goes_on(3600, WELL, ticks=False) is None
    drive.watch.tick(running=True)
    assert "has not ticked" in drive.goes_on(SILENCE_S + 1, WELL, ticks=False)


@pytest.mark.parametrize(
    "publishers, limit_s, message",
    [
        ({**WELL, STATUS: 0}, GONE_S, "the car ego_vehicle was destroyed"),
        ({**WELL, "/carla/status": 2}, RIVAL_S, "two simulators publish /carla/status"),
        ({**WELL, STATUS: 2, IMAGE: 2}, RIVAL_S, "2 cars are named ego_vehicle"),
        ({**WELL, IMAGE: 0}, SENSORS_S, "the car ego_vehicle has no rgb_front 10 s after"),
        ({STATUS: 1, f"{IMU}_2": 1}, SENSORS_S, "the car ego_vehicle has no rgb_front, imu 10 s after"),
    ],
)
def test_what_the_car_lacks_or_has_twice_ends_the_drive_if_it_lasts(drive, publishers, limit_s, message):
    drive.goes_on(10, WELL)
    assert drive.goes_on(limit_s, publishers) is None
    assert drive.goes_on(1, WELL) is None  # it was no more than a moment
    assert message in drive.goes_on(limit_s + 1, publishers)


def test_a_bridge_that_never_ticks_and_a_car_that_never_comes_end_the_drive(drive):
    assert "no car named ego_vehicle within 60 s" in drive.goes_on(SPAWN_S + 1, {})
    assert "has not ticked within 180 s" in Drive().goes_on(START_S + 1, {}, ticks=False)

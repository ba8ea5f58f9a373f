"""A node tells its own brakes from others', also where messages have no sender."""

import pytest
from builtin_interfaces.msg import Time
from wm_bundle.vehicle_commands.own_brakes import OwnBrakes
from wm_bundle.vehicle_commands.parameters import CommandParameters
from wm_bundle.vehicle_commands.writing import CommandWriter


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


def brakes(output: str):
    parameters = CommandParameters(command_output=output, max_speed=5.0, wheelbase=1.0)
    clock = Clock()
    return OwnBrakes(parameters.output, "me", clock), CommandWriter(parameters), clock


@pytest.mark.parametrize("output", ["carla", "ackermann_stamped", "twist_stamped"])
def test_a_message_with_a_frame_tells_its_sender(output):
    own, write, _ = brakes(output)
    assert own.is_own(write((0, 0, 1), Time(), frame="me")) and not own.is_own(write((0, 0, 1), Time()))


@pytest.mark.parametrize("output", ["ackermann", "twist"])
def test_without_a_frame_as_many_brakes_are_own_as_were_sent(output):
    own, write, clock = brakes(output)
    brake, drive = write((0, 0, 1), Time()), write((0, 0.5, 0), Time(), 1.0)
    assert not own.is_own(brake)
    own.sent()
    assert not own.is_own(drive)  # another's, which came before the own brake
    assert own.is_own(brake) and not own.is_own(brake)
    own.sent()
    clock.now += 1.1  # lost
    assert not own.is_own(brake)

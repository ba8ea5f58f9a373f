"""The rules of the command channels, with a clock of their own."""

import math

import pytest
from wm_sim.commands import Channel, Command, CommandDesk

EXPERT = Command(steer=0.1, throttle=0.2)
GIVEN = Command(steer=-0.5, throttle=0.6)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_the_last_command_persists(clock):
    desk = CommandDesk(False, clock)
    assert desk.current == Command()
    desk.receive(Channel.NORMAL, GIVEN, 0)
    for _ in range(3):
        desk.drive_by(EXPERT)  # no autopilot: its command does not count
        assert desk.current == GIVEN


def test_only_the_channel_the_override_selects_counts_and_ends_a_wait(clock):
    desk = CommandDesk(False, clock)
    desk.receive(Channel.MANUAL, GIVEN, 0)
    assert not desk.answers.came and desk.current == Command()
    desk.override = True
    desk.receive(Channel.MANUAL, GIVEN, 0)
    assert desk.answers.came and desk.current == GIVEN
    desk.answers.waited()
    desk.receive(Channel.NORMAL, Command(brake=1.0), 0)
    assert not desk.answers.came and desk.current == GIVEN


@pytest.mark.parametrize("channel", Channel)
def test_the_autopilot_commands_once_after_a_tick_and_a_later_command_overrides_it_for_that_interval(clock, channel):
    """As CARLA's traffic manager; the manual override only selects the channel."""
    desk = CommandDesk(True, clock)
    desk.override = channel is Channel.MANUAL
    desk.drive_by(EXPERT)
    assert desk.current == EXPERT
    desk.receive(channel, GIVEN, 0)
    assert desk.current == GIVEN and desk.answers.came
    desk.drive_by(EXPERT)
    assert desk.current == EXPERT
    desk.autopilot = False
    desk.drive_by(GIVEN)
    assert desk.current == EXPERT  # the last one applied stays in force


@pytest.mark.parametrize(
    "sent, felt",
    [
        (Command(steer=1.5, throttle=-0.1, brake=7.0), (1.0, 0.0, 1.0)),
        (Command(steer=-9.0, throttle=2.0, brake=-1.0), (-1.0, 1.0, 0.0)),
        (Command(steer=math.inf, throttle=-math.inf, brake=math.inf), (1.0, 0.0, 1.0)),
        (Command(steer=math.nan, throttle=math.nan, brake=math.nan), (0.0, 0.0, 0.0)),
    ],
)
def test_a_command_out_of_range_is_passed_on_as_it_is_and_the_car_has_its_limits(clock, sent, felt):
    desk = CommandDesk(False, clock)
    assert "is out of range" in desk.receive(Channel.NORMAL, sent, 0)
    assert desk.current is sent and desk.answers.came
    assert sent.pedals() == felt


def test_hand_brake_brakes_and_reverse_gives_no_throttle(clock):
    assert Command(throttle=0.5, hand_brake=True).pedals() == (0.0, 0.5, 1.0)
    assert Command(steer=0.2, throttle=0.5, reverse=True).pedals() == (0.2, 0.0, 0.0)
    assert "reverse" in CommandDesk(False, clock).receive(Channel.NORMAL, Command(reverse=True), 0)


def test_latency_is_measured_from_the_ready_state_to_the_first_command_for_it(clock):
    desk = CommandDesk(False, clock)
    assert math.isnan(desk.begin_tick(10))
    clock.now += 0.012
    desk.receive(Channel.NORMAL, GIVEN, 10)
    clock.now += 0.050
    desk.receive(Channel.NORMAL, GIVEN, 10)  # a second one does not count
    assert desk.begin_tick(20) == pytest.approx(12.0)
    clock.now += 0.005
    desk.receive(Channel.NORMAL, GIVEN, 10)  # a late answer to the tick before
    assert math.isnan(desk.begin_tick(30))
    clock.now += 0.007
    desk.receive(Channel.NORMAL, GIVEN, 0)  # no stamp: taken as an answer to this tick
    assert desk.begin_tick(40) == pytest.approx(7.0)


def test_a_new_episode_begins_with_the_pedals_released(clock):
    desk = CommandDesk(False, clock)
    desk.receive(Channel.NORMAL, GIVEN, 0)
    desk.new_episode()
    assert desk.current == Command()


def test_only_a_command_with_the_stamp_of_the_tick_is_known_to_answer_it(clock):
    desk = CommandDesk(False, clock)
    desk.begin_tick(80)
    desk.begin_tick(160)
    for another in (0, 80):
        desk.receive(Channel.NORMAL, GIVEN, another)
        assert not desk.is_answered()
    desk.receive(Channel.NORMAL, GIVEN, 160)
    assert desk.is_answered()
    desk.receive(Channel.NORMAL, GIVEN, 0)
    assert desk.is_answered()
    desk.begin_tick(240)
    assert not desk.is_answered()

"""The built-in car takes motions, and does what the planner meant by them."""

import dataclasses

import numpy as np
import pytest
from ackermann_msgs.msg import AckermannDrive
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wm_bundle.processes.parameters import ParameterError
from wm_bundle.vehicle_commands.definition import DEADBAND_MPS2, coasting_mps2
from wm_bundle.vehicle_commands.messages import OUTPUTS
from wm_bundle.vehicle_commands.parameters import CommandParameters
from wm_bundle.vehicle_commands.writing import CommandWriter
from wm_sim.commands import Channel, Command, CommandDesk
from wm_sim.config import BridgeConfig
from wm_sim.motions import MotionInput
from wm_sim.simulation import Simulation
from wm_sim.worlds import WORLDS

WORLD = WORLDS["carracing"]
PEDAL = st.floats(0, 1)


@pytest.mark.parametrize("output", ["twist", "twist_stamped", "ackermann", "ackermann_stamped"])
@settings(deadline=None)
@given(steer=st.floats(-1, 1), pedal=PEDAL, brakes=st.booleans(), speed=st.floats(0, 90))
def test_the_car_s_pedals_are_the_planner_s(output, steer, pedal, brakes, speed):
    throttle, brake = (0.0, pedal) if brakes else (pedal, 0.0)
    pressed = WORLD.full_pedals_mps2[0] * throttle - WORLD.full_pedals_mps2[1] * brake
    assume(abs(pressed) > 1.01 * DEADBAND_MPS2)
    parameters = dataclasses.replace(CommandParameters(command_output=output), **WORLD.vehicle)
    message = CommandWriter(parameters)(np.array([steer, throttle, brake]), Time(), speed)
    command, beyond = MotionInput(OUTPUTS[output], WORLD).command(message, speed)
    assert beyond is None and command.at(speed) == Command(command.steer, command.throttle, command.brake)
    if speed + (pressed - coasting_mps2(speed)) * WORLD.reach_s > 1e-3:
        assert command.at(speed).pedals() == pytest.approx((steer, throttle, brake), abs=3e-5)
    elif "ackermann" in output:  # it stops, with the told deceleration
        assert command.at(speed).pedals() == pytest.approx((steer, throttle, brake), abs=3e-5)
    else:  # a Twist cannot tell how hard to stop, or where its wheels point meanwhile
        assert command.at(speed).pedals()[1:] == pytest.approx((0.0, 1.0))


def test_a_speed_is_kept_whatever_the_car_s_is():
    motion, _ = MotionInput(OUTPUTS["ackermann"], WORLD).command(AckermannDrive(speed=20.0), 10.0)
    assert motion.at(10.0).throttle > motion.at(19.5).throttle > 0.0 and motion.at(25.0).brake > 0.0


def test_an_order_to_stand_holds_the_car():
    for message, output in ((AckermannDrive(), "ackermann"), (Twist(), "twist")):
        motion, _ = MotionInput(OUTPUTS[output], WORLD).command(message, 5.0)
        assert motion.at(5.0).pedals() == pytest.approx((0.0, 0.0, 1.0)) == motion.at(0.0).pedals()


@pytest.mark.parametrize(
    "twist, beyond", [((-1.0, 0.0), "in reverse gear"), ((0.0, 1.0), "while turning on the spot"), ((1.0, 0.5), None)]
)
def test_what_the_car_cannot_do_is_said(twist, beyond):
    message = Twist()
    message.linear.x, message.angular.z = twist
    assert MotionInput(OUTPUTS["twist"], WORLD).command(message, 0.0)[1] == beyond


def test_a_motion_that_is_not_a_number_is_out_of_range_and_presses_nothing():
    motion, _ = MotionInput(OUTPUTS["ackermann"], WORLD).command(AckermannDrive(speed=float("nan")), 5.0)
    assert "out of range" in CommandDesk(autopilot=False).receive(Channel.NORMAL, motion, None)
    assert motion.at(5.0).pedals() == (0.0, 0.0, 0.0)


def test_the_simulation_controls_the_speed_in_every_tick():
    simulation = Simulation(0.08, seed=1)
    simulation.tick(Command())
    motion, _ = MotionInput(OUTPUTS["ackermann"], WORLD).command(AckermannDrive(speed=12.0), simulation.speed)
    ticks = [simulation.tick(motion) for _ in range(60)]
    assert ticks[0].applied.throttle == pytest.approx(12.0 / 0.25 / 60.0) and ticks[-1].applied.throttle < 0.5
    assert simulation.speed == pytest.approx(12.0, abs=1.0)


def test_a_message_without_a_stamp_answers_the_newest_tick():
    desk = CommandDesk(autopilot=False)
    desk.begin_tick(40)
    desk.receive(Channel.NORMAL, Command(), None)
    assert desk.is_answered()


@pytest.mark.parametrize("world", WORLDS.values(), ids=lambda world: world.name)
def test_a_planner_can_command_every_world_s_car(world):
    assert all(value > 0.0 for value in world.vehicle.values())


def test_a_message_that_is_not_installed_is_refused_in_one_line():
    with pytest.raises(ParameterError, match="parameter command_input autoware: expected the message autoware_contr"):
        BridgeConfig.from_values({"command_input": "autoware"})
    config = BridgeConfig(command_input="ackermann", role_name="hero")
    assert config.command_topic(Channel.NORMAL) == "/carla/hero/ackermann_cmd"
    assert config.command_topic(Channel.MANUAL) == "/carla/hero/vehicle_control_cmd_manual"

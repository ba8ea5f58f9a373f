import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from wm_bundle import ACTION_HIGH, ACTION_LOW, from_command, to_command

unit = st.floats(-1.0, 1.0, width=32)


@given(steer=unit, longitudinal=unit)
def test_search_action_survives_the_way_to_a_command_and_back(steer, longitudinal):
    search = np.array([steer, longitudinal], np.float32)
    np.testing.assert_array_equal(from_command(to_command(search)), search)


@given(steer=st.floats(-5, 5), longitudinal=st.floats(-5, 5))
def test_command_stays_in_limits_and_never_throttles_while_braking(steer, longitudinal):
    command = to_command(np.array([steer, longitudinal]))
    assert (command >= ACTION_LOW).all() and (command <= ACTION_HIGH).all()
    assert command[1] * command[2] == 0.0


def test_leading_axes_are_kept():
    assert to_command(np.zeros((4, 7, 2))).shape == (4, 7, 3)
    assert from_command(np.zeros((4, 7, 3))).shape == (4, 7, 2)

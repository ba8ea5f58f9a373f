"""Requests that a service of a ROS node may get and nobody meant: out of range, unknown, empty, of no type there is."""

import math
import time

from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from wm_msgs.srv import Reset

UNKNOWN_TYPE = 77
_NAMES = ([], [""], ["no_such"], ["use_sim_time", "no_such"], ["\x00ä\n" * 50], ["use_sim_time"] * 500)
_VALUES = (
    ParameterValue(type=UNKNOWN_TYPE),
    ParameterValue(type=255),
    ParameterValue(type=0),
    ParameterValue(type=3, double_value=math.nan),
    ParameterValue(type=3, double_value=-math.inf),
    ParameterValue(type=2, integer_value=-(2**63)),
    ParameterValue(type=4, string_value="\x00\n"),
    ParameterValue(type=5, byte_array_value=[b"\x00"]),
    ParameterValue(type=6, bool_array_value=[True]),
    ParameterValue(type=7, integer_array_value=[1]),
    ParameterValue(type=8, double_array_value=[math.nan]),
    ParameterValue(type=9, string_array_value=[""]),
)


def odd_requests(kind: type, names: list[str]) -> list:
    """Requests for a service of the type ``kind``, of a node that has the parameters ``names``."""
    if kind is ChangeState:
        asked = []
        for number in (0, 3, 5, 8, 10, 42, 62, 99, 255):
            asked.append(ChangeState.Request())
            asked[-1].transition.id = number
        for label in ("no_such", "transition_success", "\x00"):
            asked.append(ChangeState.Request())
            asked[-1].transition.label = label
        return asked
    if kind in (SetParameters, SetParametersAtomically):
        given = [Parameter(name=name, value=value) for name in (*names, "", "no_such") for value in _VALUES]
        return [kind.Request(parameters=[one]) for one in given] + [kind.Request(), kind.Request(parameters=given)]
    if kind in (GetParameters, GetParameterTypes, DescribeParameters):
        return [kind.Request(names=list(asked)) for asked in _NAMES]
    if kind is ListParameters:
        return [
            kind.Request(prefixes=prefixes, depth=depth)
            for prefixes in ([], [""], ["."], ["no.such"])
            for depth in (0, 1, 2**64 - 1)
        ]
    if kind is Reset:
        return [Reset.Request(seed=seed) for seed in (-(2**63), -2, 2**63 - 1)]
    return [kind.Request()]


def ask(client, request, spin, timeout_s: float = 20.0):
    """The answer to a request; ``spin`` serves both sides for a moment."""
    future, deadline_s = client.call_async(request), time.monotonic() + timeout_s
    while not future.done():
        assert time.monotonic() < deadline_s, f"no answer to {request}"
        spin()
    return future.result()

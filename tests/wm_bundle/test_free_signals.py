"""Signals of the user's own: one line of YAML, read strictly, and the same signal again from what a bundle carries."""

import math
from types import SimpleNamespace as Message

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_bundle import BundleManifest, CameraSpec, ImageSpec, LatentSpec, VectorSpec
from wm_bundle.free_signals import (
    FieldPath,
    SignalError,
    as_line,
    bundle_inputs,
    chosen_inputs,
    defined,
    free_signal,
    installed,
    read_signals,
    signals_of_yaml,
)
from wm_bundle.vector_inputs import SPEED, YAW_RATE, converted_inputs

BATTERY = 'battery: {unit: V, source: "std_msgs/Float32 /my/sensor data"}'


def one(line: str):
    ((_, entry),) = signals_of_yaml(line, "signals.yaml").items()
    return entry


def test_a_line_names_the_message_the_topic_and_the_field(tmp_path):
    (tmp_path / "signals.yaml").write_text(
        f"{BATTERY}\ntyre: {{unit: bar, source: 'sensor_msgs/msg/Joy joy axes[1]', factor: 1e-5, hold_s: 2}}\n"
    )
    battery, tyre = read_signals(str(tmp_path / "signals.yaml")).values()
    assert (battery.name, battery.unit, battery.hold_s) == ("battery", "V", 0.5)
    assert battery.sources[0].topic.leaf == "/my/sensor" and battery.sources[0].topic.type == "std_msgs/msg/Float32"
    assert battery.told == {"name": "battery", "unit": "V", "source": "std_msgs/msg/Float32 /my/sensor data"}
    assert tyre.longest_age_s(0.1) == 2.0 and tyre.sources[0].read(Message(axes=[1.0, 2e5])) == 2.0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected signals by name"),
        ("- battery", "expected signals by name"),
        ("battery: 3", "expected a name and its keys"),
        ("battery: {unit: V}", "expected source as text, found nothing"),
        ("battery: {unit: 3, source: a/B c d}", "expected unit as text, found 3"),
        ("battery: {unit: V, source: a/B c d, fctor: 2}", "unknown key fctor.*did you mean factor"),
        ("battery: {unit: V, source: a/B c d, factor: 0}", "factor other than 0"),
        ("battery: {unit: V, source: a/B c d, factor: .nan}", "finite factor"),
        ("battery: {unit: V, source: a/B c d, hold_s: much}", "hold_s as a number, found 'much'"),
        ("battery: {unit: V, source: a/B c d, hold_s: true}", "hold_s as a number"),
        ("battery: {unit: V, source: a/B c d, hold_s: 0}", "hold_s above 0"),
        ("battery: {unit: V, source: Float32 /a data}", "message type as std_msgs/Float32, found 'Float32'"),
        ("battery: {unit: V, source: std_msgs/Float32 /a}", "TYPE TOPIC FIELD"),
        ("battery: {unit: V, source: std_msgs/Float32 /a//b data}", "topic as /my/sensor, found '/a//b'"),
        ("battery: {unit: V, source: 'std_msgs/Float32 /a data[]'}", "expected a field as data"),
        ("Battery: {unit: V, source: std_msgs/Float32 /a data}", "lower-case letters"),
        ("speed: {unit: V, source: std_msgs/Float32 /a data}", r"taken by the signal speed \[m/s\]"),
        ("route_7m_x: {unit: m, source: std_msgs/Float32 /a data}", "taken by the signal route_7m_x"),
        (f"{BATTERY}\n{BATTERY}", "battery is taken twice"),
        ("battery: {unit: V, source: [", "is not YAML"),
    ],
)
def test_every_fault_of_a_file_is_one_line_that_names_it(tmp_path, text, told):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(SignalError, match=told) as caught:
        read_signals(str(tmp_path / "s.yaml"))
    assert "\n" not in str(caught.value) and "s.yaml" in str(caught.value)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(SignalError, match="signals file /nowhere.yaml cannot be read"):
        read_signals("/nowhere.yaml")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("nope_msgs/Float32 /a data", "the message package nope_msgs is not installed"),
        ("std_msgs/Flot32 /a data", "std_msgs has no message std_msgs/msg/Flot32"),
        ("std_msgs/Float32 /a dat", "std_msgs/msg/Float32 has no field dat.*did you mean data"),
        ("std_msgs/String /a data", "is a string, expected a number"),
        ("sensor_msgs/Imu /a orientation", "is a geometry_msgs/Quaternion, expected a number"),
        ("sensor_msgs/Joy /a axes", "is a sequence<float>, expected a number"),
        ("sensor_msgs/Imu /a orientation.x[1]", "has no field"),
        ("sensor_msgs/Imu /a orientation_covariance[9]", "has no field .*: a list of 9"),
    ],
)
def test_what_its_messages_lack_is_told_before_anything_drives(source, told):
    with pytest.raises(SignalError, match=told):
        installed(free_signal("a", "V", source, "a file"))


def test_every_kind_of_number_that_is_accepted_is_read_from_its_message():
    std_msgs = pytest.importorskip("std_msgs.msg")
    for kind, number in (("Byte", b"\x07"), ("Char", 7), ("UInt8", 7), ("Bool", True), ("Int64", 7), ("Float64", 7.0)):
        (source,) = installed(free_signal("a", "V", f"std_msgs/{kind} /a data", "a file")).sources
        assert source.read(getattr(std_msgs, kind)(data=number)) == (1.0 if kind == "Bool" else 7.0)


def test_whether_it_is_stamped_is_told_by_its_messages():
    for source, stamped in (
        ("std_msgs/Float32 /a data", False),
        ("std_msgs/Bool /a data", False),
        ("sensor_msgs/Imu /a linear_acceleration_covariance[2]", True),
        ("geometry_msgs/PoseArray /a poses[0].position.x", True),
    ):
        assert installed(free_signal("a", "V", source, "a file")).sources[0].topic.stamped is stamped
    assert installed(SPEED) is SPEED


def test_a_field_that_is_no_number_is_refused_and_a_short_list_is_no_number():
    message = Message(axes=[1.0], name="x", inner=Message(on=True))
    assert FieldPath("axes[0]")(message) == 1.0 and FieldPath("inner.on")(message) == 1.0
    assert math.isnan(FieldPath("axes[3]")(message))
    for path in ("name", "axes", "inner", "other", "inner.off", "name.x[2]"):
        with pytest.raises(SignalError, match=path.replace("[", r"\[")):
            FieldPath(path)(message)


numbers = st.floats(allow_nan=False, allow_infinity=False).filter(bool)


@given(factor=numbers, hold_s=st.floats(1e-6, 3600.0), unit=st.text(min_size=1).filter(lambda text: text.strip()))
def test_a_bundles_definition_and_a_commands_line_give_the_same_signal_again(factor, hold_s, unit):
    unit = "".join(unit.split()) if unit.isprintable() else "V"
    entry = free_signal("a", unit, "sensor_msgs/Joy /joy axes[2]", "a file", factor, hold_s)
    assert defined("a", unit, entry.definition, "a bundle") == entry
    assert chosen_inputs([as_line(entry, entry.definition)], "", ())["a"] == entry


def test_the_order_of_columns_is_the_registrys_then_the_files_whatever_the_names_order(tmp_path):
    (tmp_path / "s.yaml").write_text(BATTERY)
    taken = chosen_inputs(("yaw_rate", "gap", "route_7m_x", "speed"), str(tmp_path / "s.yaml"), converted_inputs())
    assert list(taken) == ["speed", "yaw_rate", "gap", "route_7m_x", "battery"]
    assert list(chosen_inputs((), "", converted_inputs())) == ["speed", "yaw_rate"]
    assert list(chosen_inputs(("battery", "speed"), str(tmp_path / "s.yaml"), ())) == ["speed", "battery"]
    with pytest.raises(SignalError, match="unknown signal sped.*did you mean speed"):
        chosen_inputs(("sped",), "", ())
    with pytest.raises(SignalError, match="the name battery is taken by another free signal"):
        chosen_inputs((BATTERY,), str(tmp_path / "s.yaml"), ())


def bundle(*vector: VectorSpec):
    image = ImageSpec(16, 24, (CameraSpec("rgb_front", 16, 24),))
    latent = LatentSpec("gaussian", 4, 2)
    return BundleManifest("tiny", image, vector, 0.1, latent, 4, 0.99, "step_result", 1.0)


def test_a_bundle_needs_no_file_for_the_signals_it_defines_and_a_file_may_name_another_topic():
    battery = one(BATTERY)
    carried = bundle(
        VectorSpec("yaw_rate", "rad/s", 0.0, 1.0), VectorSpec("battery", "V", 12.0, 1.0, source=battery.definition)
    )
    assert bundle_inputs(carried) == (YAW_RATE, battery)
    moved = one('battery: {unit: V, source: "std_msgs/Float64 /other data"}')
    assert bundle_inputs(carried, {"battery": moved}) == (YAW_RATE, moved)


def test_a_slip_in_a_files_name_is_told_and_a_signal_of_another_model_is_none():
    carried = bundle(VectorSpec("battery", "V", 12.0, 1.0, source=one(BATTERY).definition))
    free = {name: free_signal(name, "V", "std_msgs/Float64 /b data", "") for name in ("batery", "battery_2", "tyre")}
    with pytest.raises(SignalError, match="^the signals file: bundle .* has no signal batery; did you mean battery"):
        bundle_inputs(carried, free)
    del free["batery"]
    assert bundle_inputs(carried, free) == (one(BATTERY),)


def test_a_signal_in_another_unit_or_without_a_source_is_refused_in_one_line():
    with pytest.raises(SignalError, match=r"needs the vector input battery \[V\].*signals file"):
        bundle_inputs(bundle(VectorSpec("battery", "V", 0.0, 1.0)))
    with pytest.raises(SignalError, match=r"needs the vector input battery \[mV\], the signals file has V"):
        bundle_inputs(bundle(VectorSpec("battery", "mV", 0.0, 1.0)), {"battery": one(BATTERY)})
    with pytest.raises(SignalError, match=r"needs the vector input speed \[km/h\], this project has m/s"):
        bundle_inputs(bundle(VectorSpec("speed", "km/h", 0.0, 1.0)))
    with pytest.raises(SignalError, match="expected TYPE TOPIC FIELD"):
        bundle_inputs(bundle(VectorSpec("battery", "V", 0.0, 1.0, source="std_msgs/msg/Float32 /a data of it")))

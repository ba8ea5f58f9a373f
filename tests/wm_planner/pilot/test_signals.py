"""Signals while driving: slow ones, free ones, and those that are missing, which brakes or is masked."""

import dataclasses

import numpy as np
import pytest
from fake_pilot import PERIOD_NS, assert_brakes, drive, make_pilot
from wm_bundle import VectorSpec
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.modes import Mode
from wm_planner.pilot.preflight import inputs_of, with_messages

BATTERY = VectorSpec("battery", "V", 12.0, 1.0, source="std_msgs/msg/Float32 /my/sensor data")


def pilot_of(engine, clock, manifest, *vector: VectorSpec, **parameters):
    return make_pilot(engine, clock, dataclasses.replace(manifest, vector=vector), **parameters)


def seen(engine) -> list[float]:
    return [float(observed.vector[0]) for observed in engine.observed]


def test_a_speed_limit_holds_for_ten_seconds_and_no_longer(engine, clock, manifest):
    pilot = pilot_of(engine, clock, manifest, VectorSpec("speed_limit", "m/s", 0.0, 1.0))
    pilot.take("speed_limit", Sample(PERIOD_NS, 8.0))
    assert [drive(pilot, clock, tick).mode for tick in range(1, 127)] == [Mode.DRIVING] * 126  # 125 * 0.08 s = 10 s
    assert_brakes(drive(pilot, clock, 127), "so no speed limit, which the bundle needs")


def test_a_signal_that_the_model_needs_brakes_and_names_its_topic(engine, clock, manifest):
    pilot = pilot_of(engine, clock, manifest, BATTERY)
    assert_brakes(drive(pilot, clock, 1), "no /my/sensor at or shortly before")
    pilot.take("battery", Sample(2 * PERIOD_NS, 11.5))
    assert drive(pilot, clock, 2).mode is Mode.DRIVING and seen(engine) == [11.5]
    assert pilot.signals.masked is None


@pytest.mark.parametrize("stamp_ns", [0, 10**18], ids=["no stamp", "another clock"])
def test_a_sample_of_another_time_brakes_and_the_reason_tells_that_time(engine, clock, manifest, stamp_ns):
    pilot = pilot_of(engine, clock, manifest, BATTERY)
    pilot.take("battery", Sample(stamp_ns, 11.5))
    assert_brakes(drive(pilot, clock, 10), f"stamp 0.800 s (the last one is of {stamp_ns / 1e9:.3f} s), so no battery")


def test_a_signal_that_the_model_can_do_without_is_nan_and_said_once_when_it_goes_and_when_it_comes(
    engine, clock, manifest
):
    pilot = pilot_of(engine, clock, manifest, dataclasses.replace(BATTERY, gaps=True))

    def told() -> list[str]:
        return [line for line in pilot.lines if "episode" not in line]

    pilot.take("battery", Sample(PERIOD_NS, 11.5))
    assert drive(pilot, clock, 1).mode is Mode.DRIVING and pilot.signals.masked == () and told() == []
    for tick in range(2, 20):  # it holds for 0.5 s, 6 periods
        assert drive(pilot, clock, tick).mode is Mode.DRIVING
    np.testing.assert_array_equal(seen(engine), [11.5] * 7 + [np.nan] * 12)
    assert pilot.signals.masked == ("battery",)
    (line,) = told()
    assert line.startswith("driving without what the model can do without: no /my/sensor") and "so no battery" in line
    for tick in range(20, 120):
        pilot.take("battery", Sample(tick * PERIOD_NS, 11.0))
        drive(pilot, clock, tick)
    assert told()[1:] == ["all signals are there"] and pilot.signals.masked == ()
    pilot.reset()
    assert pilot.signals.masked == ()


def test_a_source_that_is_slower_than_its_samples_hold_is_told_and_does_not_fill_the_log(engine, clock, manifest):
    pilot = pilot_of(engine, clock, manifest, dataclasses.replace(BATTERY, gaps=True))
    for tick in range(1, 250):  # 20 s
        if tick % 25 == 1:  # every 2 s
            pilot.take("battery", Sample(tick * PERIOD_NS, 12.0))
        drive(pilot, clock, tick)
    lines = [line for line in pilot.lines if "/my/sensor" in line]
    assert 1 <= len(lines) <= 4 and "(one comes every 2 s and holds 0.5 s)" in lines[-1]
    strict = pilot_of(engine, clock, manifest, BATTERY)
    for tick in (1, 26):
        strict.take("battery", Sample(tick * PERIOD_NS, 12.0))
    assert_brakes(drive(strict, clock, 40), "(one comes every 2 s and holds 0.5 s), so no battery, which the bundle")


def test_a_yaw_rate_that_may_be_missing_is_judged_where_it_is_there(engine, clock, manifest):
    pilot = pilot_of(engine, clock, manifest, VectorSpec("yaw_rate", "rad/s", 0.0, 1.0, gaps=True))
    assert [drive(pilot, clock, tick).mode for tick in range(1, 10)] == [Mode.DRIVING] * 9


def test_a_signals_file_moves_a_bundles_signal_to_another_topic(manifest, tmp_path):
    (tmp_path / "s.yaml").write_text('battery: {unit: V, source: "sensor_msgs/BatteryState /battery voltage"}')
    carried = dataclasses.replace(manifest, vector=(BATTERY,))
    (entry,) = with_messages(inputs_of(PlannerConfig(signals_file=str(tmp_path / "s.yaml")), carried))
    assert entry.sources[0].topic.leaf == "/battery" and entry.sources[0].topic.stamped
    (entry,) = with_messages(inputs_of(PlannerConfig(), carried))
    assert entry.sources[0].topic.leaf == "/my/sensor" and not entry.sources[0].topic.stamped


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('battery: {unit: mV, source: "std_msgs/Float32 /a data"}', r"the signals file has mV"),
        ('battery: {unit: V, source: "nope_msgs/Float32 /a data"}', "package nope_msgs is not installed"),
        ('battery: {unit: V, source: "std_msgs/String /a data"}', "is a string, expected a number"),
        ('battery: {unit: V, source: "std_msgs/Float32 /a"}', "TYPE TOPIC FIELD"),
        ("battery:", "expected a name and its keys"),
    ],
)
def test_a_signals_file_that_cannot_be_used_refuses_to_drive(manifest, tmp_path, line, told):
    (tmp_path / "s.yaml").write_text(line)
    config = PlannerConfig(signals_file=str(tmp_path / "s.yaml"))
    with pytest.raises(ConfigError, match=told):
        with_messages(inputs_of(config, dataclasses.replace(manifest, vector=(BATTERY,))))

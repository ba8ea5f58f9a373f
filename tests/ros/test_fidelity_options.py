"""wm_sim with a spawn file: rates of sensors, the native view among pinhole cameras, and files it cannot use."""

import json

import bridge_probe
import graph
import numpy as np
from bridge_probe import EGO, bridge_and_probe, parameter_words, stamp_ns
from bridge_table import CAMERAS, SPAWN, STEPS_NS, spawn
from wm_sim.commands import Command
from wm_sim.simulation import Simulation

WAITING = {"synchronous_mode_wait_for_vehicle_control_command": True, "real_time_factor": 0, "wait_for_driver": 20}
CAMERA = {"type": "sensor.camera.rgb", "image_size_x": 64, "image_size_y": 48, "spawn_point": {"z": 2.0}}


def spawn_file(folder, content) -> str:
    path = folder / "spawn.json"
    path.write_text(json.dumps(content))
    return str(path)


def subscribe(probe, name: str) -> list:
    """The messages of a camera's image topic from now on."""
    messages = []
    probe.node.create_subscription(bridge_probe.Image, f"{EGO}{name}/image", messages.append, bridge_probe.RELIABLE)
    return messages


def test_a_sensor_with_a_sensor_tick_sends_that_seldom_and_the_others_in_every_tick(tmp_path):
    file = spawn_file(
        tmp_path,
        spawn(
            [
                {"type": "sensor.pseudo.odom", "id": "odometry"},
                {**CAMERA, "id": "rgb_front"},
                {**CAMERA, "id": "twice", "sensor_tick": 0.16},
                {**CAMERA, "id": "rest", "sensor_tick": 0.2},
            ]
        ),
    )
    with bridge_and_probe(**WAITING, objects_definition_file=file) as (_, probe):
        twice, rest = subscribe(probe, "twice"), subscribe(probe, "rest")
        probe.answer = lambda msg: probe.send(throttle=0.1)
        probe.wait_for(lambda: len(probe.images()) >= 30)
    front, odometry = ([stamp_ns(msg) for msg in probe.of(name)] for name in ("rgb_front/image", "odometry"))
    assert {after - before for before, after in zip(front, front[1:], strict=False)} <= STEPS_NS
    assert odometry[: len(front)] == front
    # 0.16 s are two ticks; 0.2 s are no whole number of them, so three.
    for messages, interval_ns in ((twice, 160_000_000), (rest, 240_000_000)):
        stamps = [stamp_ns(msg) for msg in messages]
        assert len(stamps) > 5 and stamps[0] == front[0]
        assert all(abs(after - before - interval_ns) < 10 for before, after in zip(stamps, stamps[1:], strict=False))


def test_the_native_view_and_the_score_are_the_same_with_four_more_cameras_beside_it(tmp_path):
    objects = json.loads(json.dumps(SPAWN).replace("rgb_front", "rgb_ahead"))
    objects["objects"][1]["sensors"].append({"type": "sensor.camera.native", "id": "rgb_front"})
    file = spawn_file(tmp_path, objects)
    with bridge_and_probe(**WAITING, seed=7, objects_definition_file=file) as (_, probe):
        others = [subscribe(probe, name.replace("rgb_front", "rgb_ahead")) for name in CAMERAS]
        probe.answer = lambda msg: probe.send(throttle=0.1, steer=0.05)
        probe.wait_for(lambda: len(probe.images()) >= 20 and all(len(messages) >= 12 for messages in others))
    simulation = Simulation(0.08, seed=7)
    command = Command(float(np.float32(0.05)), float(np.float32(0.1)))
    for image, result in zip(probe.images(), probe.of("step_result"), strict=False):
        tick = simulation.tick(command)
        pixels = np.frombuffer(image.data, np.uint8).reshape(96, 96, 4)
        np.testing.assert_array_equal(pixels[..., 2::-1], simulation.world.image())
        assert result.reward == np.float32(tick.outcome.reward)
    stamps = [[stamp_ns(msg) for msg in messages] for messages in (probe.images(), *others)]
    connected = max(each[0] for each in stamps)  # subscriptions are found one by one
    counted = [[stamp for stamp in each if stamp >= connected][:10] for each in stamps]
    assert len(counted[0]) == 10 and all(each == counted[0] for each in counted), "lock-step, none missing"


def test_a_spawn_file_that_cannot_be_used_ends_it_with_one_message(tmp_path):
    file = spawn_file(tmp_path, spawn([{**CAMERA, "id": "rgb", "fov": 200.0}]))
    words = parameter_words({"objects_definition_file": file})
    with graph.start("wm_sim", "bridge", *words, domain_id=graph.fresh_domain_id()) as process:
        assert process.wait(30.0) == 2
        assert "fov: expected a number from 1.0 to 170.0, got 200.0" in process.output()
        assert "Traceback" not in process.output()

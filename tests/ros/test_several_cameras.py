"""Several pinhole cameras of a spawn file, recorded and driven through a real graph."""

import json
import shutil
import time

import graph
import numpy as np
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from tiny_bundle import make_tiny_bundle
from wm_bundle import CameraSpec, ImageSpec
from wm_data.episodes import read_episode
from wm_msgs.msg import PlannerStatus

EGO = "/carla/ego_vehicle"
AHEAD = {"x": 1.0, "z": 1.8, "pitch": 15.0}


def spawn_file(folder, **mounts) -> str:
    """A car with a camera of 64 × 48 for each mount, after the sensors that CARLA's bridge needs."""
    cameras = [
        {
            "type": "sensor.camera.rgb",
            "id": name,
            "image_size_x": 64,
            "image_size_y": 48,
            "fov": 100.0,
            "spawn_point": mount,
        }
        for name, mount in mounts.items()
    ]
    car = {"type": "vehicle.tesla.model3", "id": "ego_vehicle", "sensors": cameras}
    path = folder / "spawn.json"
    path.write_text(json.dumps({"objects": [car]}))
    return str(path)


def launch(file: str, *arguments: str, domain_id: int) -> graph.GraphProcess:
    return graph.GraphProcess([shutil.which("ros2"), "launch", "wm_planner", file, *arguments], domain_id=domain_id)


class Watcher:
    """Keeps the stamps of both cameras' pictures, of commands, and of what the planner said of them."""

    def __init__(self, context, cameras):
        self.node = rclpy.create_node("watcher", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.images = {name: set() for name in cameras}
        self.commands, self.modes = [], {}
        for name, stamps in self.images.items():
            self._listen(Image, f"{name}/image", lambda m, stamps=stamps: stamps.add(stamp_of(m)))
        self._listen(CarlaEgoVehicleControl, "vehicle_control_cmd", lambda m: self.commands.append(stamp_of(m)))
        self._listen(PlannerStatus, "planner/status", lambda m: self.modes.__setitem__(stamp_of(m), m.mode))

    def _listen(self, kind, topic, callback):
        self.node.create_subscription(kind, f"{EGO}/{topic}", callback, 100)

    def stamps(self):
        """Those of each camera's pictures, and of what the planner said."""
        return [*self.images.values(), self.modes]

    def wait_for(self, condition, process, seconds=90.0):
        deadline = time.monotonic() + seconds
        while not condition():
            assert process.process.poll() is None and time.monotonic() < deadline, process.output()
            self.executor.spin_once(timeout_sec=0.05)

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()


def stamp_of(message) -> int:
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


def test_the_pictures_in_a_row_are_of_one_moment_and_in_the_file_s_order(tmp_path):
    # Two cameras in one place show the same at the same moment, and something else one tick later.
    file = spawn_file(tmp_path, rgb_rear={**AHEAD, "yaw": 180.0}, rgb_front=AHEAD, rgb_twin=AHEAD)
    arguments = [
        "episodes:=1",
        "episode_length:=15",
        "seed:=5",
        f"output_dir:={tmp_path / 'episodes'}",
        f"objects_definition_file:={file}",
        "driver:=noisy-autopilot",
    ]
    with launch("collect.launch.py", *arguments, domain_id=graph.fresh_domain_id()) as process:
        assert process.wait(90) == 0, process.output()
    episode = read_episode(tmp_path / "episodes" / "episode_000000.npz")
    assert episode.observations.shape == (15, 9, 64, 64) and episode.camera_mask is None
    assert [
        (camera["name"], camera["source_width"], camera["source_height"]) for camera in episode.meta["cameras"]
    ] == [("rgb_rear", 64, 48), ("rgb_front", 64, 48), ("rgb_twin", 64, 48)]
    rear, front, twin = np.split(episode.observations, 3, axis=1)
    np.testing.assert_array_equal(front, twin)
    moved = [not np.array_equal(before, after) for before, after in zip(front, front[1:], strict=False)]
    assert sum(moved) >= 10 and not np.array_equal(rear, front)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    image = ImageSpec(64, 64, tuple(CameraSpec(name, 48, 64) for name in ("rgb_front", "rgb_rear")))
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", ("rgb_front", "rgb_rear"), image=image)


def test_in_lock_step_every_command_answers_pictures_of_both_cameras_with_its_stamp(bundle, tmp_path):
    file, domain_id = spawn_file(tmp_path, rgb_front=AHEAD, rgb_rear={**AHEAD, "yaw": 180.0}), graph.fresh_domain_id()
    arguments = [
        f"bundle:={bundle}",
        "real_time_factor:=0",
        "episodes:=0",
        f"objects_definition_file:={file}",
        "solver:=actor",
    ]
    with graph.rclpy_context(domain_id) as context:
        watcher = Watcher(context, ("rgb_front", "rgb_rear"))
        try:
            with launch("carla_sim.launch.py", *arguments, domain_id=domain_id) as process:
                watcher.wait_for(lambda: all(len(stamps) >= 30 for stamps in watcher.stamps()), process)
                process.stop(20)
        finally:
            watcher.close()
    answering = [stamp for stamp in watcher.commands if stamp]  # the others are brakes at the end
    assert len(set(answering)) == len(answering)
    first, last = max(map(min, watcher.stamps())), min(map(max, watcher.stamps()))  # while all topics were heard
    checked = [stamp for stamp in answering if first <= stamp <= last]
    assert len(checked) >= 20
    for stamps in watcher.images.values():
        assert set(checked) <= stamps
    # A frame without one of its pictures would be DEGRADED; a busy machine may be late with one now and then.
    driving = [stamp for stamp in checked if watcher.modes.get(stamp) == PlannerStatus.MODE_DRIVING]
    assert len(driving) >= 0.8 * len(checked)


def test_a_bundle_whose_cameras_the_spawn_file_lacks_starts_nothing(bundle, tmp_path):
    file = spawn_file(tmp_path, rgb_front=AHEAD)
    for arguments, message in (
        ([f"objects_definition_file:={file}"], "found rgb_front 64x48: change the file"),
        ([], "has rgb_front only: give a spawn file with these cameras, objects_definition_file:=FILE"),
    ):
        command = ["carla_sim.launch.py", f"bundle:={bundle}", *arguments]
        with launch(*command, domain_id=graph.fresh_domain_id()) as process:
            assert process.wait(60) not in (0, None)
            output = process.output()
        assert "expects rgb_front 64x48, rgb_rear 64x48" in output and message in output
        assert "process started" not in output and "Traceback" not in output

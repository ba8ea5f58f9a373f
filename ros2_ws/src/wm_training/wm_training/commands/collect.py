"""`ros2 run wm_training collect`: records episodes from the topics of CARLA's bridge or of the built-in simulator."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from wm_bundle.ros_errors import reason_of
from wm_bundle.spawn_file import SpawnFileError, cameras_in
from wm_data.episodes import EpisodeError
from wm_evaluation.wording import counted

from wm_training.cli import counting_progress, parse, run
from wm_training.data.collector import CollectError, Collector
from wm_training.training.process import asked_to_stop


@dataclass(frozen=True)
class CollectOptions:
    """What to record, and how."""

    episodes: int = 10
    """Episodes the folder shall hold in the end: a total, so that the same call goes on where it was interrupted. Those
    already there count; 3 there and 5 asked for records 2."""
    episode_length: int = 500
    """Longest episode [rows]."""
    output_dir: str = "./data/world_model/train"
    """Folder for episode_NNNNNN.npz."""
    driver: Literal["autopilot", "noisy-autopilot", "planner", "noisy-planner", "random"] = "autopilot"
    """Who drives: the autopilot, the planner, either of them disturbed by bursts, or smooth random commands."""
    seed: int = 0
    """Seed of the first episode: its track, where the simulator can be reset, and its noise. Then seed + 1 …"""
    noise_every: float = 2.0
    """Mean time between bursts of a noisy driver [s]."""
    noise_strength: float = 0.4
    """Mean standard deviation of a burst, in units of steer and throttle/brake."""
    image_size: int = 64
    """Height and width the pictures are resized to [px]."""
    role_name: str = "ego_vehicle"
    """Name of the vehicle in the topics."""
    cameras: str = ""
    """Sensor ids of the cameras, separated by commas; empty: all of objects_definition_file, without one rgb_front."""
    objects_definition_file: str = ""
    """Spawn file that the simulator or CARLA's spawner was started with."""
    camera_tolerance: float = 0.01
    """Several cameras: pictures whose stamps differ by no more belong together [s]."""
    camera_deadline: float = 0.5
    """Several cameras: longest wait for the last picture of a moment [s of wall time]."""
    planner_node: str = "wm_planner"
    """Name of the planner's node, where it drives."""
    standstill: float = 5.0
    """Where the planner drives: an episode ends when the car has stood for so long; 0: it goes on [s]."""
    min_rows: int = 10
    """Episodes shorter than this are thrown away [rows]."""
    timeout: float = 30.0
    """Longest time without a complete tick before giving up [s of wall time]."""
    start_timeout: float = 600.0
    """Where the planner drives: longest wait for its first answer; on TensorRT that takes some minutes once [s]."""

    def __post_init__(self):
        above_0 = (
            "episodes",
            "episode_length",
            "image_size",
            "min_rows",
            "timeout",
            "start_timeout",
            "noise_every",
            "camera_deadline",
        )
        for name in above_0:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")
        for name in ("seed", "noise_strength", "standstill", "camera_tolerance"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")

    def camera_names(self) -> tuple[str, ...]:
        """Sensor ids of the cameras to record. Raises CollectError and SpawnFileError."""
        named = tuple(name for name in self.cameras.split(",") if name)
        if not all(name.isascii() and name.isidentifier() for name in named) or len(set(named)) != len(named):
            raise CollectError(f"--cameras: expected different sensor ids separated by commas, found '{self.cameras}'")
        if not self.objects_definition_file:
            return named or ("rgb_front",)
        there = tuple(cameras_in(self.objects_definition_file, self.role_name))
        if missing := [name for name in named if name not in there]:
            raise CollectError(
                f"--cameras: expected some of {', '.join(there)}, the cameras in {self.objects_definition_file}, "
                f"found {', '.join(missing)}"
            )
        return named or there

    @property
    def with_planner(self) -> bool:
        """Whether the planner drives."""
        return self.driver in ("planner", "noisy-planner")

    @property
    def with_noise(self) -> bool:
        """Whether bursts disturb the driver."""
        return self.driver.startswith("noisy-")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    from rclpy.utilities import remove_ros_args

    given = sys.argv[1:] if arguments is None else arguments
    plain = remove_ros_args(["collect", *given])[1:]
    options = parse(CollectOptions, "Record driving episodes from ROS topics.", "collect", plain)
    return run("collect", lambda: _collect(options, given), (CollectError, EpisodeError, SpawnFileError, OSError))


def _collect(options: CollectOptions, arguments: list[str]) -> int:
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    from wm_training.data.collect_node import CollectNode

    cameras, folder = options.camera_names(), Path(options.output_dir).expanduser()
    if folder.exists() and not folder.is_dir():
        raise CollectError(f"output_dir {folder} is a file, expected a folder")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        rclpy.init(args=arguments, signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    except RuntimeError as error:  # rclpy's, as where no log can be written
        raise CollectError(f"ROS cannot be started: {reason_of(error)}") from None
    try:
        node = CollectNode(options, cameras)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        collector = Collector(options, node, lambda seconds: _spin_once(executor, seconds))
        try:
            _record_all(collector)
        finally:
            if rclpy.ok():
                collector.release()
    except ExternalShutdownException:
        raise CollectError("the ROS context was shut down") from None
    finally:
        rclpy.try_shutdown()
    return 0


def _spin_once(executor, seconds: float) -> None:
    """A signal waits for the end of the call: rclpy makes messages in C++, where its exception would become another."""
    asked: list[bool] = []
    with asked_to_stop(lambda: asked.append(True)):
        executor.spin_once(timeout_sec=seconds)
    if asked:
        raise KeyboardInterrupt


def _record_all(collector: Collector) -> None:
    missing = collector.missing()
    total = collector.options.episodes
    console = Console(stderr=True)
    console.print(f"collect: {collector.plan()}", highlight=False, markup=False, soft_wrap=True)
    if not missing:
        return
    recorder, driver = collector.connect()
    rows, began = 0, time.monotonic()
    with counting_progress("collecting", console) as progress:
        task = progress.add_task("collecting", total=total, completed=total - len(missing), note="")
        for index in missing:
            episode = collector.record(index, recorder, driver)
            rows += len(episode)
            rate = rows / (time.monotonic() - began)
            note = f"return {episode.rewards.sum():.1f} in {counted(len(episode), 'row')}; {rate:.0f} rows/s"
            progress.update(task, advance=1, note=note)
            if not console.is_terminal:
                console.print(f"collect: episode {index + 1}/{total}: {note}", highlight=False)
    console.print(
        f"collect: {counted(len(missing), 'new episode')} in {collector.folder}, {total} in all; "
        f"{counted(collector.node.dropped, 'image')} left out",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(main())

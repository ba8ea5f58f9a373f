"""`ros2 run wm_training collect`: records episodes from the topics of CARLA's bridge or of the built-in simulator."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from wm_data.episodes import EpisodeError

from wm_training.cli import counting_progress, parse, run
from wm_training.data.collector import CollectError, Collector


@dataclass(frozen=True)
class CollectOptions:
    """What to record, and how."""

    episodes: int = 10
    """Episodes the folder shall hold in the end; those already there count."""
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
    camera: str = "rgb_front"
    """Sensor id of the camera."""
    planner_node: str = "wm_planner"
    """Name of the planner's node, where it drives."""
    standstill: float = 5.0
    """Where the planner drives: an episode ends when the car has stood for so long; 0: it goes on [s]."""
    min_rows: int = 10
    """Episodes shorter than this are thrown away [rows]."""
    timeout: float = 30.0
    """Longest time without a complete tick before giving up [s of wall time]."""

    def __post_init__(self):
        for name in ("episodes", "episode_length", "image_size", "min_rows", "timeout", "noise_every"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")
        for name in ("seed", "noise_strength", "standstill"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 or more")

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
    return run("collect", lambda: _collect(options, given), (CollectError, EpisodeError, OSError))


def _collect(options: CollectOptions, arguments: list[str]) -> int:
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    from wm_training.data.collect_node import CollectNode

    folder = Path(options.output_dir).expanduser()
    if folder.exists() and not folder.is_dir():
        raise CollectError(f"output_dir {folder} is a file, expected a folder")
    folder.mkdir(parents=True, exist_ok=True)
    rclpy.init(args=arguments, signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        planner = options.planner_node if options.with_planner else None
        node = CollectNode(options.role_name, options.camera, options.image_size, planner)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        collector = Collector(options, node, lambda seconds: executor.spin_once(timeout_sec=seconds))
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


def _record_all(collector: Collector) -> None:
    missing = collector.missing()
    total = collector.options.episodes
    console = Console(stderr=True)
    if not missing:
        console.print(f"collect: {collector.folder} already holds {total} episodes", highlight=False)
        return
    recorder, driver = collector.connect()
    rows, began = 0, time.monotonic()
    with counting_progress("collecting", console) as progress:
        task = progress.add_task("collecting", total=total, completed=total - len(missing), note="")
        for index in missing:
            episode = collector.record(index, recorder, driver)
            rows += len(episode)
            rate = rows / (time.monotonic() - began)
            note = f"return {episode.rewards.sum():.1f} in {len(episode)} rows; {rate:.0f} rows/s"
            progress.update(task, advance=1, note=note)
            if not console.is_terminal:
                console.print(f"collect: episode {index + 1}/{total}: {note}", highlight=False)
    console.print(
        f"collect: {total} episodes in {collector.folder}, {collector.node.dropped} images left out",
        highlight=False,
    )


if __name__ == "__main__":
    sys.exit(main())

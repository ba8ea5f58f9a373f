"""`ros2 run wm_training collect`: records episodes from the topics of CARLA's bridge or of the built-in simulator."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from wm_data.episodes import EpisodeError, write_episode

from wm_training.cli import counting_progress, parse, run
from wm_training.data.drivers import AutopilotWithBursts, BurstNoise, Driver, ExpertFollower, RandomDriver
from wm_training.data.recording import EpisodeRecorder, Tick


class CollectError(RuntimeError):
    """Recording cannot go on, and why."""


@dataclass(frozen=True)
class CollectOptions:
    """What to record, and how."""

    episodes: int = 10
    """Episodes the folder shall hold in the end; those already there count."""
    episode_length: int = 500
    """Longest episode [rows]."""
    output_dir: str = "./data/world_model/train"
    """Folder for episode_NNNNNN.npz."""
    driver: Literal["autopilot", "noisy-autopilot", "random"] = "autopilot"
    """Who drives: the autopilot, the autopilot disturbed by bursts, or smooth random commands."""
    seed: int = 0
    """Seed of the first episode: its track, where the simulator can be reset, and its noise. Then seed + 1 …"""
    noise_every: float = 2.0
    """Mean time between bursts of the noisy autopilot [s]."""
    noise_strength: float = 0.4
    """Mean standard deviation of a burst, in units of steer and throttle/brake."""
    image_size: int = 64
    """Height and width the pictures are resized to [px]."""
    role_name: str = "ego_vehicle"
    """Name of the vehicle in the topics."""
    camera: str = "rgb_front"
    """Sensor id of the camera."""
    min_rows: int = 10
    """Episodes shorter than this are thrown away [rows]."""
    timeout: float = 30.0
    """Longest time without a complete tick before giving up [s of wall time]."""

    def __post_init__(self):
        for name in ("episodes", "episode_length", "image_size", "min_rows", "timeout", "noise_every"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")
        if self.seed < 0 or self.noise_strength < 0:
            raise ValueError(f"seed is {self.seed} and noise_strength {self.noise_strength}, expected 0 or more")


class Collector:
    """Drives and records until the folder holds as many episodes as wanted."""

    def __init__(self, options: CollectOptions, node, spin):
        """``node`` is a CollectNode, ``spin(seconds)`` lets it work for at most that long."""
        self.options = options
        self.node = node
        self.spin = spin
        self.folder = Path(options.output_dir).expanduser()
        self.fresh_tick: Tick | None = None
        node.on_tick = self._take

    def _take(self, tick: Tick) -> None:
        self.fresh_tick = tick

    def missing(self) -> list[int]:
        """Numbers of the episodes that are not in the folder yet."""
        return [i for i in range(self.options.episodes) if not self.path(i).is_file()]

    def path(self, index: int) -> Path:
        """File of an episode."""
        return self.folder / f"episode_{index:06d}.npz"

    def wait_for(self, condition, what: str) -> None:
        """Spin until ``condition()`` holds; CollectError after the time-out."""
        deadline = time.monotonic() + self.options.timeout
        while not condition():
            if self.node.failure:
                raise CollectError(str(self.node.failure))
            if time.monotonic() > deadline:
                raise CollectError(f"waited {self.options.timeout:g} s for {what}")
            self.spin(0.1)

    def connect(self) -> tuple[EpisodeRecorder, Driver]:
        """Find out what is published, and make the recorder and the driver that fit it."""
        node, options = self.node, self.options
        self.wait_for(
            lambda: node.has_camera,
            f"a publisher of {node.image_topic}; is the simulator or the bridge up, "
            f"and its role_name {options.role_name}?",
        )
        self.wait_for(
            lambda: node.camera is not None and node.period_ns is not None,
            f"an image on {node.image_topic} and a CarlaStatus on /carla/status",
        )
        # A simulator announces all its topics at once, but discovery delivers them one by one.
        settle = time.monotonic() + 0.5
        while time.monotonic() < settle:
            self.spin(0.05)
        with_steps, with_expert = node.has_step_results, node.has_expert
        noise = None
        if options.driver == "noisy-autopilot":
            noise = BurstNoise(node.period_ns * 1e-9, options.noise_every, options.noise_strength)
        if options.driver == "random":
            driver = RandomDriver(node.period_ns * 1e-9)
        else:
            driver = ExpertFollower(noise) if with_expert else AutopilotWithBursts(noise)
        recorder = EpisodeRecorder(
            options.episode_length,
            node.period_ns,
            self._meta(),
        )
        node.start(with_steps, with_expert)
        node.enable_autopilot(driver.wants_autopilot)
        return recorder, driver

    def _meta(self) -> dict:
        camera = self.node.camera
        return {
            "cameras": [
                {
                    "name": camera.name,
                    "source_height": camera.source_height,
                    "source_width": camera.source_width,
                    "crop": None,
                    "letterbox": False,
                }
            ],
            "rate_hz": round(1e9 / self.node.period_ns, 6),
            "vector": [{"name": "speed", "unit": "m/s"}],
            "action_convention": "steer right positive, throttle, brake; row t acts from t to t+1",
            "driver": self.options.driver,
        }

    def record(self, index: int, recorder: EpisodeRecorder, driver: Driver) -> int:
        """Record one episode into its file; returns its rows."""
        seed = self.options.seed + index
        recorder.discard()
        driver.begin(seed)
        reset = self.node.request_reset(seed)
        if reset is not None:
            self.wait_for(reset.done, "the reset service")
            if not reset.result().success:
                raise CollectError(f"the simulator refused seed {seed}: {reset.result().message}")
            recorder.meta["seed"] = seed
        while True:
            self.fresh_tick = None
            self.wait_for(
                lambda: self.fresh_tick is not None,
                "image, vehicle_status and what else the simulator publishes to come with equal stamps",
            )
            tick = self.fresh_tick
            decision = driver.drive(tick)
            self.node.send(decision)
            episode = recorder.add(tick, decision.expert_drives)
            if episode is not None and len(episode) >= self.options.min_rows:
                write_episode(self.path(index), episode)
                return len(episode)


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
        node = CollectNode(options.role_name, options.camera, options.image_size)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        collector = Collector(options, node, lambda seconds: executor.spin_once(timeout_sec=seconds))
        _record_all(collector)
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
            rows += collector.record(index, recorder, driver)
            rate = rows / (time.monotonic() - began)
            progress.update(task, advance=1, note=f"{rows} rows, {rate:.0f} rows/s")
            if not console.is_terminal:
                console.print(f"collect: episode {index + 1}/{total}, {rows} rows, {rate:.0f} rows/s", highlight=False)
    console.print(
        f"collect: {total} episodes in {collector.folder}, {collector.node.dropped} images left out",
        highlight=False,
    )


if __name__ == "__main__":
    sys.exit(main())

"""One call of collect: starts ROS, records the missing episodes, shows the progress."""

import time
from collections.abc import Iterator
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rich.console import Console
from wm_bundle.processes.ros_errors import reason_of
from wm_bundle.processes.stop_signals import Stopped, note_stop_signals
from wm_evaluation.terminal import counting_progress
from wm_evaluation.wording import counted

from wm_training.collecting.collect_options import CollectOptions
from wm_training.collecting.collector import Collector
from wm_training.collecting.node import CollectNode
from wm_training.collecting.recording import rows_moving
from wm_training.errors import CollectError

_MANY = 0.05  # share of missed ticks, above which a recording is worth less than it seems


def record(options: CollectOptions, arguments: list[str]) -> int:
    """Record by ``options``; ``arguments`` are the command line's, including ROS's. Returns the exit code."""
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
        # A signal is held until the simulator has been told to go on. Nor may it interrupt rclpy, which converts
        # messages in C++, where its exception would become another.
        stop = note_stop_signals()
        collector = Collector(options, node, lambda seconds: _spin_once(executor, seconds, stop))
        try:
            _record_all(collector)
        finally:
            if rclpy.ok():
                collector.release(lambda seconds: executor.spin_once(timeout_sec=seconds))
            executor.shutdown(timeout_sec=1.0)
    except ExternalShutdownException:
        raise CollectError("the ROS context was shut down") from None
    finally:
        rclpy.try_shutdown()
    return 0


def _spin_once(executor, seconds: float, stop: list[int]) -> None:
    executor.spin_once(timeout_sec=seconds)
    if stop:
        raise Stopped(stop.pop())


def _record_all(collector: Collector) -> None:
    missing = collector.missing()
    total = collector.options.episodes
    console = Console(stderr=True)
    console.print(f"collect: {collector.plan()}", highlight=False, markup=False, soft_wrap=True)
    if not missing:
        return
    recorder, driver = collector.connect()
    rows, moving, began = 0, 0, time.monotonic()
    with counting_progress("collecting", console) as progress:
        task = progress.add_task("collecting", total=total, completed=total - len(missing), note="")
        for index in missing:
            episode = collector.record(index, recorder, driver)
            rows += len(episode)
            moving += rows_moving(episode)
            rate = rows / (time.monotonic() - began)
            note = f"return {episode.rewards.sum():.1f} in {counted(len(episode), 'row')}; {rate:.0f} rows/s"
            progress.update(task, advance=1, note=note)
            if not console.is_terminal:
                console.print(f"collect: episode {index + 1}/{total}: {note}", highlight=False)
    what = f"{counted(len(missing), 'new episode')} in {collector.folder}, {total} in all"
    what += f"; the car moved in {moving} of {counted(rows, 'row')}"
    for line in _summary(what, collector.node.dropped, recorder.missed, collector.late, rows):
        console.print(f"collect: {line}", highlight=False, markup=False, soft_wrap=True)


def _summary(what: str, dropped: int, missed: int, late: int, rows: int) -> Iterator[str]:
    """``missed`` ticks lie between the new ``rows``; ``late`` commands acted later than from their tick on."""
    after = f", {counted(late, 'command')} acted late" if late else ""
    yield f"{what}; {counted(dropped, 'image')} dropped, {counted(missed, 'tick')} missed{after}"
    if missed > _MANY * (rows + missed):
        yield (
            f"WARNING: {missed / (rows + missed):.0%} of the ticks are missing, and each gap ends an episode: this "
            "simulator does not wait for the recorder. A bridge with synchronous_mode:=True does"
        )

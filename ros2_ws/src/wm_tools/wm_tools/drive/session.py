"""A recorder node and the processes it records: start, wait, episode, end. Every wait has a timeout."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from wm_bundle.files import write_text
from wm_bundle.lock_step import EMBEDDED_WAIT_S
from wm_bundle.processes.stop_signals import hold_signals
from wm_planner.launching.transport import picture_transport

from wm_tools.common.errors import DriveError
from wm_tools.drive.processes import ProcessGroup
from wm_tools.drive.recorder_node import RecorderNode
from wm_tools.drive.records import EpisodeCollector

START_TIMEOUT_S = 60.0  # for a process to appear in the graph, and for the first step once a driver is there
RESET_TIMEOUT_S = 30.0  # for the simulator to make a new track
STALL_TIMEOUT_S = 2.0 * EMBEDDED_WAIT_S  # without a step while driving
FIRST_WORD_S, NEXT_WORD_S = 10.0, 30.0  # when a long wait is reported, and how often
_SEND_PICTURES = ("simulator", "disturber")
DRAIN_S = 0.2  # after the last step, for messages still on their way


def executable(package: str, name: str) -> Path:
    """Path of an installed executable. Raises DriveError if the workspace is not sourced or not built."""
    try:
        path = Path(get_package_prefix(package)) / "lib" / package / name
    except (PackageNotFoundError, LookupError, OSError):
        raise DriveError(f"the package {package} is not in use: build the workspace and source env.sh") from None
    if not path.is_file():
        raise DriveError(f"{path} is missing: build the workspace again")
    return path


class Session:
    """Spins ``node`` while it waits for the graph and for steps, and detects children that end. A context manager.

    ``title`` names the driver in messages and file names in ``logs``. A step that takes longer than ``slow_step_s`` [s
    of wall time] is slow. ``on_progress`` is called many times a second, ``tell`` with a line of text when a wait is
    long. Every method raises DriveError, quoting what the processes wrote, when one of them has ended, a message cannot
    be used, or a wait times out.
    """

    def __init__(
        self,
        title: str,
        context: Context,
        node: RecorderNode,
        collector: EpisodeCollector,
        processes: ProcessGroup,
        environment: Mapping[str, str],
        logs: Path,
        slow_step_s: float,
        on_progress: Callable[[EpisodeCollector], None],
        tell: Callable[[str], None],
    ):
        self.node = node
        self._title, self._collector, self._processes = title, collector, processes
        self._environment, self._logs, self._on_progress, self._tell = environment, logs, on_progress, tell
        self._stall_timeout_s = STALL_TIMEOUT_S + 10 * slow_step_s
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(node)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_exception) -> None:
        self._executor.shutdown()
        self.node.destroy_node()

    def record_in(self, collector: EpisodeCollector) -> None:
        self.node.collector = self._collector = collector

    def start_simulator(self, parameters: Mapping) -> None:
        """Start the built-in one. It waits until everything is connected and it is reset, so nothing is missed."""
        self.start("simulator", [str(executable("wm_sim", "bridge"))], parameters)
        self.wait(self.node.sees_simulator, "the simulator's topics")

    def start_planner(self, parameters: Mapping, timeout_s: float) -> None:
        self.node.listen_to_planner()
        self.start("planner", [str(executable("wm_planner", "planner"))], parameters)
        # Before the first image it reports every second that it is ready, so one status shows that we receive it.
        self.wait(self.node.hears_planner, "the planner's first status", timeout_s)

    def start(self, name: str, command: Sequence[str], parameters: Mapping) -> None:
        # JSON is valid YAML, and a file avoids the quoting of values on a command line.
        file = self._logs / f"{self._title}-{name}.yaml"
        write_text(file, json.dumps({"/**": {"ros__parameters": parameters}}, indent=2) + "\n")
        self._processes.start(
            name,
            [*command, "--ros-args", "--params-file", str(file)],
            {**self._environment, **(picture_transport() if name in _SEND_PICTURES else {})},
            self._logs / f"{self._title}-{name}.log",
        )

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
        """Spin until ``condition``; ``what`` describes it."""
        begun_s, next_word_s = time.monotonic(), FIRST_WORD_S
        while not condition():
            waited_s = time.monotonic() - begun_s
            if waited_s > next_word_s:
                next_word_s = waited_s + NEXT_WORD_S
                self._tell(
                    f"{self._title}: waited {waited_s:.0f} s of at most {timeout_s:g} s for {what}; "
                    f"{self._processes.last_words()}"
                )
            if waited_s > timeout_s:
                raise DriveError(
                    f"{self._title}: timed out after {timeout_s:g} s waiting for {what}.\n{self._processes.quote()}"
                )
            self.spin_once()

    def reset(self, seed: int) -> None:
        self._collector.begin(seed)
        future = self.node.ask_reset(seed)
        self.wait(future.done, f"the simulator's answer to the reset to track {seed}", RESET_TIMEOUT_S)
        answer = future.result()
        if not answer.success:
            raise DriveError(f"the simulator refused the reset to track {seed}: {answer.message}")

    def wait_for_first_tick(self) -> None:
        self.wait(lambda: self._collector.ticks > 0, "the first tick of the simulator")

    def finish_episode(self) -> None:
        """Spin until the episode is over; every step extends the deadline."""
        seen, deadline = -1, 0.0
        self.node.note_events()
        while not self._collector.episode_over:
            if self._collector.ticks != seen:
                seen, deadline = self._collector.ticks, time.monotonic() + self._stall_timeout_s
            if time.monotonic() > deadline:
                episode = self._collector.current
                raise DriveError(
                    f"{self._title}: the simulator did not tick for {self._stall_timeout_s:.0f} s, at step "
                    f"{len(episode.steps)} of track {episode.seed}.\n{self._processes.quote()}"
                )
            self.spin_once()
        self.node.note_events()

    def drain(self) -> None:
        """Receive what still comes after the last step."""
        drained = time.monotonic() + DRAIN_S
        while time.monotonic() < drained:
            self.spin_once()

    def spin_once(self) -> None:
        """Process a message, if one comes soon, and check for failures."""
        with hold_signals():
            self._executor.spin_once(timeout_sec=0.05)
        if self.node.bad_message is not None:
            raise DriveError(f"{self._title}: cannot use a message: {self.node.bad_message}")
        self._processes.check()
        self._on_progress(self._collector)

"""The replay monitor: hears pictures, commands and statuses while a bag is played, and judges the replay at its end.

Wiring only. What came of the frames is in ``frames``, the comparison in ``agreement``, the files in ``result``.
"""

import subprocess
import sys
import time
from pathlib import Path

import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from wm_bundle import BundleError, load_bundle
from wm_bundle.ros_distribution import with_times
from wm_bundle.ros_errors import reason_of
from wm_bundle.service_guard import guard_services
from wm_bundle.stop_signals import note_stop_signals
from wm_bundle.times import ns_of
from wm_evaluation.command_line import parse
from wm_evaluation.report import write_page
from wm_msgs.msg import PlannerStatus
from wm_planner.errors import PlannerError
from wm_planner.pilot.modes import Mode

from wm_tools.common.errors import ReplayError
from wm_tools.evaluate_bag.evaluate_bag_options import DECIDED
from wm_tools.replay import result
from wm_tools.replay.agreement import compare, read_evaluation
from wm_tools.replay.bag import PlayedTopic
from wm_tools.replay.frames import Arrivals, Command, Moment, Status, header_stamp_ns
from wm_tools.replay.page import build_page
from wm_tools.replay.played_bag import camera_topics, check_gaps, planner_topics, played_moments
from wm_tools.replay.replay_monitor_options import MonitorOptions

EXIT_THRESHOLD = 1
EXIT_USAGE = 2
EXIT_REPLAY = 3
EXIT_EVALUATION = 4
_PLANNER = "wm_planner"
_MONITOR = "wm_replay_monitor"
_PLANNER_WAIT_S = 180.0  # for it to load its bundle on a busy machine
_DISCOVERY_S = 5.0  # for a live camera to be seen, which must not be missed: nearly 3 s were measured
_PLAYER_WAIT_S = 120.0  # for the first picture
_GONE_S = 0.5  # without a publisher of pictures, the bag is over
_LAST_ANSWER_S = 2.0  # for the commands still to come then
_REST_WAIT_S = 10.0  # for the planner to be deactivated
_DEEP = 1000  # messages that may wait for us


class _Stopped(Exception):
    """A signal came."""


class _EvaluationFailed(ReplayError):
    """evaluate_bag ended with an error."""


class ReplayMonitor(Node):
    """Takes in what comes; ``arrivals`` has it."""

    def __init__(self, options: MonitorOptions, cameras: list[PlayedTopic]):
        super().__init__(_MONITOR)
        self.arrivals = Arrivals()
        self._cameras = [topic.name for topic in cameras]
        config = options.config()
        for topic in cameras:
            # As bytes: of a picture only its stamp is needed. Times are those of the middleware's receipt.
            qos = QoSProfile(depth=_DEEP, reliability=topic.qos.reliability)
            self.create_subscription(topic.message_class, topic.name, with_times(self._on_picture), qos, raw=True)
        deep = QoSProfile(depth=_DEEP)
        self.create_subscription(
            CarlaEgoVehicleControl,
            config.topic("control_topic", "vehicle_control_cmd"),
            with_times(self._on_command),
            deep,
        )
        self.create_subscription(
            PlannerStatus, config.topic("planner_status_topic", "planner/status"), self._on_status, deep
        )
        guard_services(self)

    @property
    def player_there(self) -> bool:
        """Whether somebody publishes pictures."""
        return any(self.count_publishers(topic) for topic in self._cameras)

    def _on_picture(self, raw: bytes, info: dict) -> None:
        self.arrivals.picture(header_stamp_ns(raw), info["received_timestamp"])

    def _on_command(self, message: CarlaEgoVehicleControl, info: dict) -> None:
        values = (message.steer, message.throttle, message.brake)
        self.arrivals.command(ns_of(message.header.stamp), Command(info["received_timestamp"], values))

    def _on_status(self, message: PlannerStatus) -> None:
        if message.mode not in list(Mode):
            self.get_logger().warning(f"a planner status of the unknown mode {message.mode}", throttle_duration_sec=5.0)
            return
        self.arrivals.status(
            ns_of(message.header.stamp),
            Status(
                Mode(message.mode),
                message.reason,
                message.latency_ms,
                message.deadline_missed,
                message.candidates,
                message.iterations,
                message.surprise,
                message.in_flight,
            ),
        )


def main(argv: list[str] | None = None) -> int:
    """Measure one replay; returns the exit code, see --help. 128 + a signal's number when one ended it."""
    argv = sys.argv if argv is None else argv
    signals = note_stop_signals()
    try:
        options = parse(
            MonitorOptions, "ros2 run wm_tools replay_monitor", remove_ros_args(argv)[1:], refused=ReplayError
        )
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # rclpy about bad --ros-args
        return _refuse(reason_of(error), EXIT_USAGE)
    try:
        manifest = load_bundle(options.bundle).manifest
        if options.wait_for_planner:
            topics = planner_topics(manifest, options.config())
            check_gaps(options.bag, topics, options.refuse_gaps_s, options.recover)
            _wait_for_planner(topics, signals)
            return 0
        cameras = camera_topics(options.bag, manifest, options.config(), options.recover)
        arrivals = _listen(options, cameras, signals)
        _let_planner_rest(signals)
        rclpy.try_shutdown()  # nothing of what follows is to disturb the graph, or to be disturbed
        return _judge(
            options,
            manifest.model_id,
            arrivals,
            played_moments(options.bag, cameras, options.config(), options.recover),
            signals,
        )
    except _EvaluationFailed as error:
        return _refuse(str(error), EXIT_EVALUATION)
    except (ReplayError, BundleError, PlannerError, OSError) as error:
        return _refuse(str(error), EXIT_REPLAY)
    except _Stopped:
        return _refuse("stopped; no result was written", 128 + signals[0])
    finally:
        rclpy.try_shutdown()


def _wait_for_planner(cameras: list[str], signals: list[int]) -> None:
    """Return when the planner is active and the monitor listens. Raises ReplayError, also where a camera is live."""
    node = rclpy.create_node("wm_replay_gate")
    guard_services(node)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        client = node.create_client(GetState, f"/{_PLANNER}/get_state")
        _spin(executor, signals, client.service_is_ready, _PLANNER_WAIT_S, "the planner did not come up")
        # It answers services only when its configuration is done.
        future = client.call_async(GetState.Request())
        _spin(executor, signals, future.done, _PLANNER_WAIT_S, "the planner does not answer")
        state = future.result().current_state
        if state.id != State.PRIMARY_STATE_ACTIVE:
            raise ReplayError(f"the planner is {state.label}, expected active: its log says why")
        _spin(
            executor,
            signals,
            lambda: all(_monitored(node, topic) for topic in cameras),
            _PLANNER_WAIT_S,
            "the monitor did not come up",
        )
        found_by_s = time.monotonic() + _DISCOVERY_S
        while not (live := [topic for topic in cameras if node.count_publishers(topic)]):
            if time.monotonic() > found_by_s:
                break
            _spin_once(executor, signals)
        if live:
            raise ReplayError(
                f"somebody publishes on {', '.join(live)} already: a replay beside a live camera would "
                f"drive its vehicle by a recording; end it, or use another ROS_DOMAIN_ID"
            )
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()


def _monitored(node: Node, topic: str) -> bool:
    return any(other.node_name == _MONITOR for other in node.get_subscriptions_info_by_topic(topic))


def _listen(options: MonitorOptions, cameras: list[PlayedTopic], signals: list[int]) -> Arrivals:
    """Take in everything until the bag is over. Raises ReplayError where none is played."""
    node = ReplayMonitor(options, cameras)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        _spin(
            executor,
            signals,
            lambda: node.arrivals.first_ns is not None,
            _PLANNER_WAIT_S + _PLAYER_WAIT_S,
            "no picture came",
        )
        gone_s = None
        while gone_s is None or time.monotonic() - gone_s < _GONE_S:
            _spin_once(executor, signals)
            gone_s = None if node.player_there else gone_s or time.monotonic()
        until_s = time.monotonic() + _LAST_ANSWER_S
        while time.monotonic() < until_s:
            _spin_once(executor, signals)
        return node.arrivals
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()


def _let_planner_rest(signals: list[int]) -> None:
    """Deactivate the planner, whose part is done: it would warn of the silence, and take time from the evaluation."""
    node = rclpy.create_node("wm_replay_end")
    guard_services(node)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    client = node.create_client(ChangeState, f"/{_PLANNER}/change_state")
    try:
        _spin(executor, signals, client.service_is_ready, _REST_WAIT_S, "no planner to deactivate")
        request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
        _spin(executor, signals, client.call_async(request).done, _REST_WAIT_S, "no answer to the deactivation")
    except ReplayError as error:  # what it was to answer it has answered
        print(f"replay_monitor: {error}", flush=True)
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()


def _spin(executor: SingleThreadedExecutor, signals: list[int], until, timeout_s: float, what: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not until():
        if time.monotonic() > deadline_s:
            raise ReplayError(f"{what} within {timeout_s:g} s")
        _spin_once(executor, signals)


def _spin_once(executor: SingleThreadedExecutor, signals: list[int]) -> None:
    executor.spin_once(timeout_sec=0.1)
    if signals:
        raise _Stopped


def _judge(
    options: MonitorOptions, model_id: str, arrivals: Arrivals, moments: list[Moment], signals: list[int]
) -> int:
    """Compare, write the files, and return the exit code."""
    frames = arrivals.frames(moments)
    answered = sum(frame.command is not None for frame in frames)
    print(f"replay_monitor: {len(frames)} frames, {answered} answered", flush=True)
    folder = options.evaluation or _evaluate(options, signals)
    agreement = compare(frames, read_evaluation(folder / "result.jsonl", model_id))
    replay = result.Replay(
        str(options.bag),
        model_id,
        options.rate,
        options.config().deadline_ms,
        str(folder),
        frames,
        arrivals.unasked,
        agreement,
    )
    judged = result.verdicts(replay, options.thresholds)
    result.write(options.output, replay, judged)
    write_page(options.output / "report.html", build_page(replay, judged))
    values = result.figures(replay)
    print(
        f"replay_monitor: {values['dropped']:.0f} dropped, camera to command p50 {values['latency_ms.p50']:.1f} ms "
        f"p99 {values['latency_ms.p99']:.1f} ms, {values['deadline_misses']:.0f} deadline misses, "
        f"{100 * values['agreement.share']:.1f} % of the commands as evaluated",
        flush=True,
    )
    print(f"replay_monitor: wrote {options.output / 'replay.json'} and {options.output / 'report.html'}", flush=True)
    for verdict in judged:
        if not verdict.holds:
            print(f"replay_monitor: {verdict.threshold} does not hold: found {verdict.value:g}", file=sys.stderr)
    return 0 if all(verdict.holds for verdict in judged) else EXIT_THRESHOLD


def _evaluate(options: MonitorOptions, signals: list[int]) -> Path:
    """Run evaluate_bag on the same bag, only for its commands; returns its folder. Raises _EvaluationFailed."""
    folder = options.output / "evaluation"
    command = [sys.executable, "-m", "wm_tools.evaluate_bag", *evaluation_words(options, folder)]
    print("replay_monitor: evaluating the bag in one process", flush=True)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while True:
            try:
                _, told = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                if signals:
                    process.terminate()
                    raise _Stopped from None
    if process.returncode != 0:
        last = told.strip().splitlines()[-1] if told.strip() else "it said nothing"
        raise _EvaluationFailed(f"evaluate_bag ended with exit code {process.returncode}: {last}")
    return folder


def evaluation_words(options: MonitorOptions, folder: Path) -> list[str]:
    """What evaluate_bag is told. A bundle that only brakes is one to compare with, too: its threshold always holds."""
    words = [f"{name}={value}" for name, value in options.parameters if name not in DECIDED]
    return [
        str(options.bag),
        "--bundle",
        str(options.bundle),
        "--output",
        str(folder),
        "--threshold",
        "mode.braking_share<=1",
        *(["--set", *words] if words else []),
        *(["--recover"] if options.recover else []),
    ]


def _refuse(message: str, code: int) -> int:
    print(f"replay_monitor: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

"""The replay monitor: receives pictures, commands and statuses while a bag plays, and judges the replay at its end.

Wiring only: ``waiting`` spins, ``frames`` joins what came, ``judge`` compares and writes.
"""

import sys
import time

import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl
from rclpy.node import Node
from rclpy.qos import QoSProfile
from wm_bundle import BundleError, load_bundle
from wm_bundle.processes.ros_distribution import with_times
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_bundle.times import ns_of
from wm_evaluation.command_line import parse
from wm_msgs.msg import PlannerStatus
from wm_planner.errors import PlannerError

from wm_tools.common.errors import ReplayError
from wm_tools.common.ros_words import own_words, start_ros
from wm_tools.replay.bag import PlayedTopic
from wm_tools.replay.frames import Arrivals, Command, Status, header_stamp_ns
from wm_tools.replay.judge import EvaluationFailed, judge_replay
from wm_tools.replay.played_bag import camera_topics, check_gaps, planner_topics, played_moments
from wm_tools.replay.replay_monitor_options import MonitorOptions
from wm_tools.replay.waiting import MONITOR, PLANNER_WAIT_S, Spinning, Stopped, let_planner_rest, wait_for_planner

EXIT_REPLAY = 3
EXIT_EVALUATION = 4
_PLAYER_WAIT_S = 120.0  # for the first picture
_GONE_S = 0.5  # after this long without a publisher of pictures, the bag is over
_LAST_ANSWER_S = 2.0  # for the commands still on their way then
_DEEP = 1000  # queue depth


class ReplayMonitor(Node):
    """Collects messages in ``arrivals``."""

    def __init__(self, options: MonitorOptions, cameras: list[PlayedTopic]):
        super().__init__(MONITOR)
        self.arrivals = Arrivals()
        self._cameras = [topic.name for topic in cameras]
        config = options.config()
        for topic in cameras:
            # As bytes: only a picture's stamp is needed. Receive times are the middleware's.
            qos = QoSProfile(depth=_DEEP, reliability=topic.qos.reliability)
            self.create_subscription(topic.message_class, topic.name, with_times(self._on_picture), qos, raw=True)
        deep = QoSProfile(depth=_DEEP)
        self.create_subscription(
            CarlaEgoVehicleControl, config.topic("control_topic"), with_times(self._on_command), deep
        )
        self.create_subscription(PlannerStatus, config.topic("planner_status_topic"), self._on_status, deep)
        guard_services(self)

    @property
    def player_there(self) -> bool:
        """Whether pictures are published."""
        return any(self.count_publishers(topic) for topic in self._cameras)

    def _on_picture(self, raw: bytes, info: dict) -> None:
        self.arrivals.picture(header_stamp_ns(raw), info["received_timestamp"])

    def _on_command(self, message: CarlaEgoVehicleControl, info: dict) -> None:
        values = (message.steer, message.throttle, message.brake)
        self.arrivals.command(ns_of(message.header.stamp), Command(info["received_timestamp"], values))

    def _on_status(self, message: PlannerStatus) -> None:
        try:
            self.arrivals.status(ns_of(message.header.stamp), Status.of(message))
        except ValueError:
            self.get_logger().warning(f"a planner status of the unknown mode {message.mode}", throttle_duration_sec=5.0)


def main(argv: list[str] | None = None) -> int:
    """Measure one replay; returns the exit code (see --help), 128 + a signal's number if one ended it."""
    argv = sys.argv if argv is None else argv
    signals = note_stop_signals()
    words = own_words("replay_monitor", argv)
    options = parse(MonitorOptions, "ros2 run wm_tools replay_monitor", words, refused=ReplayError)
    start_ros("replay_monitor", argv)
    try:
        manifest = load_bundle(options.bundle).manifest
        if options.wait_for_planner:
            topics = planner_topics(manifest, options.config())
            check_gaps(options.bag, topics, options.refuse_gaps_s, options.recover)
            wait_for_planner(topics, signals)
            return 0
        cameras = camera_topics(options.bag, manifest, options.config(), options.recover)
        arrivals = _listen(options, cameras, signals)
        let_planner_rest(signals)
        rclpy.try_shutdown()  # what follows must neither disturb the graph nor be disturbed
        return judge_replay(
            options,
            manifest.model_id,
            arrivals,
            played_moments(options.bag, cameras, options.config(), options.recover),
            signals,
        )
    except EvaluationFailed as error:
        return _refuse(str(error), EXIT_EVALUATION)
    except (ReplayError, BundleError, PlannerError, OSError) as error:
        return _refuse(str(error), EXIT_REPLAY)
    except Stopped:
        return _refuse("stopped; no result was written", 128 + signals[0])
    finally:
        rclpy.try_shutdown()


def _listen(options: MonitorOptions, cameras: list[PlayedTopic], signals: list[int]) -> Arrivals:
    """Collect messages until the bag is over. Raises ReplayError if none is played."""
    with Spinning(node := ReplayMonitor(options, cameras), signals) as spinning:
        spinning.until(lambda: node.arrivals.first_ns is not None, PLANNER_WAIT_S + _PLAYER_WAIT_S, "no picture came")
        gone_s = None
        while gone_s is None or time.monotonic() - gone_s < _GONE_S:
            spinning.once()
            gone_s = None if node.player_there else gone_s or time.monotonic()
        spinning.for_seconds(_LAST_ANSWER_S)
        return node.arrivals


def _refuse(message: str, code: int) -> int:
    print(f"replay_monitor: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())

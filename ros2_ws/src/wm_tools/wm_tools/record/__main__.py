"""`ros2 run wm_tools record`: see docs/replay.md and --help."""

import sys
import time

import rclpy
from rclpy.executors import SingleThreadedExecutor
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_data.bags.message_types import jazzy_typestore
from wm_data.errors import ConversionError
from wm_evaluation.command_line import DONE, parse, run
from wm_evaluation.wording import counted

from wm_tools.common.errors import RecordError
from wm_tools.common.ros_words import own_words, start_ros
from wm_tools.record.mcap_file import McapRecording, Totals
from wm_tools.record.node import RecorderNode
from wm_tools.record.record_options import RecordOptions

_PAUSE_S = 0.05  # between polls for messages: most of the cost of a poll does not depend on their number


def main(argv: list[str] | None = None) -> int:
    """Record until the end; returns the exit code: 0 with a complete file, 1 without one, 2 for bad arguments."""
    argv = sys.argv if argv is None else argv
    stop_signals = note_stop_signals()
    options = parse(RecordOptions, "ros2 run wm_tools record", own_words("record", argv))
    start_ros("record", argv)
    try:
        return run("record", lambda: _record(options, stop_signals), (RecordError, ConversionError, OSError))
    finally:
        rclpy.try_shutdown()


def _record(options: RecordOptions, stop_signals: list[int]) -> int:
    jazzy_typestore()  # takes a while, during which the first messages would be lost
    recording = McapRecording(options.output, options.partial, int(options.queue_mb * 1e6))
    try:
        node = RecorderNode(options, recording)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not (stop_signals or node.over or recording.failure):
            time.sleep(_PAUSE_S)
            _take_all(node, executor)
        if node.over:
            print(f"record: {node.over}", flush=True)
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
    finally:
        totals = recording.close()
    if not totals.written:
        raise RecordError(
            "no message came, so no file was written; `ros2 topic list` shows the topics, --role-name and --topics "
            "choose"
        )
    print(_summary(options, totals, node.losses.total), flush=True)
    return DONE


def _take_all(node: RecorderNode, executor: SingleThreadedExecutor) -> None:
    """Process what has arrived since the last time; receive times are the middleware's."""
    idle = 0
    while idle < 2:  # a round of the executor handles one message per topic, and ends with a call that handles none
        taken = node.taken
        executor.spin_once(timeout_sec=0.0)
        idle = idle + 1 if node.taken == taken else 0


def _summary(options: RecordOptions, totals: Totals, lost: int) -> str:
    written, topics = counted(sum(totals.written.values()), "message"), counted(len(totals.written), "topic")
    lines = [f"record: {written} of {topics} in {options.output} ({totals.file_bytes / 1e6:.1f} MB)"]
    if totals.dropped:
        of_topics = ", ".join(f"{count} of {topic}" for topic, count in sorted(totals.dropped.items()))
        lines.append(f"record: dropped because the disk was too slow: {of_topics}")
    if lost:
        lines.append(
            f"record: {counted(lost, 'message')} lost before they reached the recorder: this machine is too slow for "
            "the drive"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

"""`ros2 run wm_training collect`: records episodes from the topics of CARLA's bridge or of the built-in simulator."""

import sys

from wm_bundle.processes.stop_signals import quiet_while_loading
from wm_evaluation.command_line import parse, run


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    quiet_while_loading()
    from rclpy.utilities import remove_ros_args
    from wm_bundle.spawn_file import SpawnFileError
    from wm_data.episodes import EpisodeError

    from wm_training.collecting.collect_options import CollectOptions
    from wm_training.collecting.session import record
    from wm_training.errors import CollectError

    given = sys.argv[1:] if arguments is None else arguments
    plain = remove_ros_args(["collect", *given])[1:]
    options = parse(CollectOptions, "collect", plain)
    return run("collect", lambda: record(options, given), (CollectError, EpisodeError, SpawnFileError, OSError))


if __name__ == "__main__":
    sys.exit(main())

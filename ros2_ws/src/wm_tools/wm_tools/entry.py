"""Entry point of this package's executables."""

from wm_bundle.processes.entry import start

MODULES = {
    "benchmark": "wm_tools.benchmark.__main__",
    "carla_watch": "wm_tools.carla_watch.node",
    "drive": "wm_tools.drive.__main__",
    "evaluate_bag": "wm_tools.evaluate_bag.__main__",
    "goal_relay": "wm_tools.goal_relay.node",
    "live_view": "wm_tools.live_view.node",
    "loop_picture": "wm_tools.loop_picture.__main__",
    "play_bag": "wm_tools.replay.play",
    "record": "wm_tools.record.__main__",
    "replay_monitor": "wm_tools.replay.monitor_node",
    "verify_bundle": "wm_tools.verify_bundle.__main__",
}


def main() -> int:
    """`ros2 run wm_tools …`"""
    return start(MODULES)

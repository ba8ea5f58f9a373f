"""`ros2 run wm_planner record`: a drive's topics into one mcap file; see docs/replay.md."""

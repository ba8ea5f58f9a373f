"""`ros2 run wm_tools record`: records a drive's topics into one mcap file; see docs/replay.md."""

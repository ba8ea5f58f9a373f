"""Replay of bags through the running planner: the player, and what only a live replay can measure; docs/replay.md."""

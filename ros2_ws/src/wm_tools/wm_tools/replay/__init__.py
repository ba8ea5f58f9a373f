"""Replay of bags through the running planner: the player, and the measurements that only a live replay allows; see
docs/replay.md."""

"""Ends a drive in CARLA that cannot go on though every process runs."""

"""Recordings: episode files, how they are made, and windows of them for training."""

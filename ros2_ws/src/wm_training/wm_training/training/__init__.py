"""The training run: updates, data ahead of them, checkpoints, several processes."""

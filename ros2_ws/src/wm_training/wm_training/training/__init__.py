"""The training run: updates, data prefetching, checkpoints, several processes."""

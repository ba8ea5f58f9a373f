"""`make train`: from scratch to the shipped bundle; see docs/training.md."""

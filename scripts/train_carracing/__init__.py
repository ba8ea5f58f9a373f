"""From nothing to the shipped bundle, `make train`: docs/training.md."""

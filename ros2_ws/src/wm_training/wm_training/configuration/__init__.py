"""A training run's settings: fields, layers of files, presets."""

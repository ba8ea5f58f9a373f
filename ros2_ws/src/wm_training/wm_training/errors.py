"""The error that training and its files raise."""


class TrainingError(RuntimeError):
    """Training cannot go on, or a checkpoint cannot be used, and why."""

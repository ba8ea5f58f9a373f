"""The error that training and its files raise."""


class TrainingError(RuntimeError):
    """Training cannot go on, or a checkpoint cannot be used, and why."""


class CollectError(RuntimeError):
    """Recording cannot go on, and why."""


class ConfigurationError(ValueError):
    """A configuration that cannot be used: the field, its value and what was expected."""


class ExportError(RuntimeError):
    """A model that is not exported, and why."""

"""The error that training and its files raise."""


class TrainingError(RuntimeError):
    """Training cannot continue, or a checkpoint is unusable; the message has the reason."""


class CollectError(RuntimeError):
    """Recording cannot continue; the message has the reason."""


class ConfigurationError(ValueError):
    """An invalid configuration: the field, its value and what was expected."""


class ExportError(RuntimeError):
    """A model cannot be exported; the message has the reason."""

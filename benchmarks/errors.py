"""The error of a benchmark."""


class BenchmarkError(RuntimeError):
    """A figure cannot be measured here; the message says why."""

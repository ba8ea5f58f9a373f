"""The error of conversion."""


class ConversionError(ValueError):
    """A source that cannot be converted: what was expected, what was found, where, and what to do."""

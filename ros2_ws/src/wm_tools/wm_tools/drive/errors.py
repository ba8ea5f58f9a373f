"""The one error that ends a drive with a message instead of a traceback."""


class DriveError(RuntimeError):
    """A drive that cannot begin or go on: what was expected, what was found, and what to do."""

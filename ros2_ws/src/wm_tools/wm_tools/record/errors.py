"""What can go wrong in recording, in one line for people."""


class RecordError(Exception):
    """A recording cannot be begun or finished; the message says why and what to do."""

"""What can go wrong in a replay, in one line for people."""


class ReplayError(Exception):
    """A bag cannot be played or a replay not be judged; the message says why and what to do."""

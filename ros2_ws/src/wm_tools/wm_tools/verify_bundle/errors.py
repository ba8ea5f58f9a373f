"""The errors that end a verification with a message instead of a traceback."""


class VerificationError(RuntimeError):
    """Something that makes it impossible: what was expected, what was found, and what to do."""


class ProviderError(VerificationError):
    """The provider asked for is not there, or cannot run this bundle."""


class ParityError(VerificationError):
    """Outputs that cannot be compared, because they are no numbers."""

"""The errors that end a command with a message instead of a traceback: what was expected and found, and what to do."""


class ToolError(RuntimeError):
    """A command cannot start or continue."""


class DriveError(ToolError):
    """A drive or a benchmark cannot start or continue."""


class RecordError(ToolError):
    """A recording cannot be started or finished."""


class ReplayError(ToolError):
    """A bag cannot be played, or a replay cannot be judged."""


class EvaluationError(ToolError):
    """An evaluation is impossible."""


class BagError(EvaluationError):
    """A recording cannot be read, or does not fit the bundle."""


class BundleRefused(EvaluationError):
    """A bundle cannot be loaded or run, or this planner cannot serve it."""


class VerificationError(ToolError):
    """A verification is impossible."""


class ProviderError(VerificationError):
    """The requested provider is not available, or cannot run this bundle."""


class ParityError(VerificationError):
    """Outputs cannot be compared because they are not finite."""

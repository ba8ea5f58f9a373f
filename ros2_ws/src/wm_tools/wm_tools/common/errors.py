"""The errors that end a command with a message instead of a traceback: what was expected and found, and what to do."""


class ToolError(RuntimeError):
    """A command cannot begin or go on."""


class DriveError(ToolError):
    """A drive or a benchmark cannot begin or go on."""


class RecordError(ToolError):
    """A recording cannot be begun or finished."""


class ReplayError(ToolError):
    """A bag cannot be played, or a replay not be judged."""


class EvaluationError(ToolError):
    """An evaluation is impossible."""


class BagError(EvaluationError):
    """A recording cannot be read, or is not what a bundle was trained for."""


class BundleRefused(EvaluationError):
    """A bundle cannot be loaded or run, or this planner cannot serve it."""


class VerificationError(ToolError):
    """A verification is impossible."""


class ProviderError(VerificationError):
    """The provider asked for is not there, or cannot run this bundle."""


class ParityError(VerificationError):
    """Outputs cannot be compared, because they are not numbers."""

"""The errors that end an evaluation with a message instead of a traceback."""


class EvaluationError(RuntimeError):
    """Something that makes an evaluation impossible: what was expected, what was found, and what to do."""


class BagError(EvaluationError):
    """A recording that cannot be read, or that a bundle was not trained for."""


class BundleRefused(EvaluationError):
    """A bundle that cannot be loaded or run, or that this planner cannot serve."""

"""What can go wrong between an image and a command; all of it makes the vehicle brake."""


class PlannerError(RuntimeError):
    """Base of every error of this package that has a message for the user."""


class ConfigError(PlannerError):
    """A parameter that is unknown, of the wrong type or out of its range, or a bundle that this planner does not
    support."""


class EngineError(PlannerError):
    """A model file that cannot be loaded or run."""


class NonFiniteError(EngineError):
    """The model returned a NaN or an infinity."""


class PlanError(PlannerError):
    """A plan that must not leave the planner: not finite, or outside the command limits."""

"""The recipe's error."""


class RecipeError(RuntimeError):
    """The recipe cannot continue: what was expected, what was found, and what to do."""

"""The error that the recipe raises."""


class RecipeError(RuntimeError):
    """The recipe cannot go on: what was expected, what was found, and what to do."""

"""From what a camera sends to the picture that a model gets."""

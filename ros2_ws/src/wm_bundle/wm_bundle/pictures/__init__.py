"""From a camera's data to the model's picture."""

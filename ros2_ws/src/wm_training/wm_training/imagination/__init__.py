"""A trained model's imagination, drawn and scored against the recording."""

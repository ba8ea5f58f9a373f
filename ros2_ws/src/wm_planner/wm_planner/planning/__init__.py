"""The search for the best imagined plan."""

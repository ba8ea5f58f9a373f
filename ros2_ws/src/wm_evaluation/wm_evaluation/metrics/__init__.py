"""Measures of predictions and of driving: pure functions of arrays."""

"""Evaluates, displays and records drives: one folder per command."""

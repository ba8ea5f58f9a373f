"""Judges, shows and records drives: a folder for each command."""

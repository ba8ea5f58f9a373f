"""Shared by all processes: parameters, start and stop, guarded services."""

"""The measurements of `make bench`; docs/benchmarks.md explains each figure.

Every benchmark is a module with ``measure(...) -> dict``. Nothing here is needed for training or driving.
"""

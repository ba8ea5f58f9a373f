"""What `make bench` measures; docs/benchmarks.md says what each figure means.

Every benchmark is a module with ``measure(...) -> dict``. Nothing here is needed for training or driving.
"""

"""Monitoring of a run: progress, tables, TensorBoard, health."""

"""Bag storage: reading and writing messages of any kind."""

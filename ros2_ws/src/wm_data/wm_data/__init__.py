"""Recorded driving: the episode format, rewards, and converters of recordings and datasets. Loads no torch."""

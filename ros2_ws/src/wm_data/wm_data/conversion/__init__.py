"""Recordings and datasets into episodes: each source has a reader, all share one resampler and one writer."""

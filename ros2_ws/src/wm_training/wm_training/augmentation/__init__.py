"""Imagined variations of recorded episodes, as ordinary episodes for other trainers."""

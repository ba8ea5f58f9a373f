"""Episodes as bags that can be played."""

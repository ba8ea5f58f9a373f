"""From a drive's pictures and signals to episodes, the same for every source."""

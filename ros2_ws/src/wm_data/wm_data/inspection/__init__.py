"""The results of `inspect` for a folder of episodes, as tables and as a page."""

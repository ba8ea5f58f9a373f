"""What `inspect` finds in a folder of episodes, as tables and as a page."""

"""Behaviour cloning without a world model: from one picture to one command, as a baseline and for other tools."""

"""Building blocks of the launch files."""

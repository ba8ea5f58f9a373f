"""Episodes as a LeRobot dataset, format v3.0: what its columns are, their statistics, and the files."""

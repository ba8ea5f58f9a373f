"""Episodes as a LeRobot dataset, format v3.0: columns, statistics and files."""

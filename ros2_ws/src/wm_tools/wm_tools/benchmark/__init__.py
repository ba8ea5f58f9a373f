"""Closed-loop benchmark: controllers on a set of tracks, through the ROS graph, with statistics."""

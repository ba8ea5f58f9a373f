"""Closed-loop benchmark: controllers over tracks, through the ROS graph, with statistics."""

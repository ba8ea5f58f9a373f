"""Measures of model predictions and of driving, and the reports that show them. No torch, no ROS."""

"""How good is a model: measures of predictions and of driving, and the reports that show them. Never torch, no ROS."""

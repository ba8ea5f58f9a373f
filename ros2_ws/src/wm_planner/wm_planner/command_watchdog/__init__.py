"""The last process before the vehicle: brakes when the planner is silent."""

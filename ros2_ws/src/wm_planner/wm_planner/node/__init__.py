"""The planner as a ROS node: wiring only."""

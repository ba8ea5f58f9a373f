"""`ros2 run wm_tools evaluate_bag`: measures what a bundle sees, predicts and plans on a recorded drive."""

"""`ros2 run wm_planner evaluate_bag`: what a bundle sees, predicts and plans along a recorded drive, with figures."""

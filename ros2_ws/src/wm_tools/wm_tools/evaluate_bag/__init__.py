"""`ros2 run wm_tools evaluate_bag`: what a bundle sees, predicts and plans along a recorded drive, with figures."""

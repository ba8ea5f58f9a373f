"""gymnasium's CarRacing-v3 behind the CARLA ROS bridge's topics, with a scripted expert as its autopilot."""

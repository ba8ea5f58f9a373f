"""Planning with a world model: solvers, the inference engine, the planner and its ROS 2 node. Never imports torch."""

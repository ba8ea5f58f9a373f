"""A stand-in for the `ros2` command for installations of only ROS 2's wheels, which lack the command line tools.

It supports `ros2 run` and, of `ros2 launch`, exactly the part of the launch API that this project's launch files use
(`launch` and `launch_ros` beside this package). It refuses everything else and says what to install.
"""

"""A stand-in for the `ros2` command where only ROS 2's wheels are installed, which bring no command line tools.

It knows `ros2 run` and, of `ros2 launch`, exactly the part of the launch API that this project's launch files use
(`launch` and `launch_ros` beside this package). Whatever else is asked of it, it refuses and says what to install.
"""

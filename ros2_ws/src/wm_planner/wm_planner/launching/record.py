"""The recorder as an action of a launch file."""

from pathlib import Path


def recorder(file: str, role_name: str, on_exit=None):
    """The launch action (a Node) that records a drive of ``role_name`` to ``file`` (.mcap).

    It ends with the simulator or with the launch, and writes the file whole then. ``on_exit`` as of the Node; a
    launch that asked for a recording should fail if it ends with another code than 0
    (``wm_planner.launching.ends.unexpected_end`` says so).
    """
    from launch_ros.actions import Node  # only launch files have it

    return Node(
        package="wm_tools",
        executable="record",
        name="wm_recorder",
        output="screen",
        arguments=["--output", str(Path(file).expanduser().absolute()), "--role-name", role_name],
        on_exit=on_exit,
    )

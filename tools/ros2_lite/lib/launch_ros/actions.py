"""The part of `launch_ros.actions` that this project's launch files use."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from pathlib import Path

import yaml
from launch.actions import ExecuteProcess
from ros2_lite.errors import CommandError, UnsupportedError, refuse_unknown_keywords, refuse_unknown_name
from ros2_lite.packages import executable_in


class Node(ExecuteProcess):
    """Runs an executable of a package as a node, its parameters in files like in the real launch: given files, or one
    written from dictionaries, which takes precedence."""

    def __init__(
        self,
        *,
        package,
        executable,
        name=None,
        namespace=None,
        parameters=(),
        arguments=(),
        prefix=None,
        exec_name=None,
        output="log",
        additional_env=None,
        on_exit=None,
        **unknown,
    ):
        refuse_unknown_keywords(self, unknown)
        ros_arguments = []
        if name is not None:
            ros_arguments += ["-r", f"__node:={name}"]
        if namespace:
            ros_arguments += ["-r", f"__ns:={namespace if namespace.startswith('/') else '/' + namespace}"]
        files = [entry for entry in parameters if isinstance(entry, str)]
        given = [entry for entry in parameters if not isinstance(entry, str)]
        self._parameter_file = _write_parameters(executable, given) if given else None
        for file in [*files, *filter(None, [self._parameter_file])]:
            ros_arguments += ["--params-file", str(file)]
        path = executable_in(package, executable)
        super().__init__(
            cmd=[*shlex.split(prefix or ""), path, *arguments, "--ros-args", *ros_arguments],
            name=exec_name or executable,
            output=output,
            additional_env=additional_env,
            on_exit=on_exit,
        )

    def clean_up(self) -> None:
        if self._parameter_file:
            with contextlib.suppress(FileNotFoundError):
                self._parameter_file.unlink()


class LifecycleNode(Node):
    """A node with a lifecycle; it must have a name and a namespace, like in the real launch."""

    def __init__(self, *, name, namespace, **keywords):
        super().__init__(name=name, namespace=namespace, **keywords)


def _write_parameters(executable: str, parameters) -> Path:
    """Writes dictionaries of parameters to one file in ROS 2's format; returns its path."""
    values = {}
    for entry in parameters:
        if not isinstance(entry, dict):
            raise UnsupportedError(f"a parameter entry of type {type(entry).__name__} for {executable}")
        values.update(entry)
    for name, value in values.items():
        if not isinstance(value, (bool, int, float, str)):
            raise CommandError(f"parameter {name!r} of {executable}: expected bool, int, float or str, got {value!r}")
    with tempfile.NamedTemporaryFile("w", prefix="launch_params_", suffix=".yaml", delete=False) as file:
        yaml.safe_dump({"/**": {"ros__parameters": values}}, file)
    return Path(file.name)


def __getattr__(name: str):
    refuse_unknown_name(__name__, name)

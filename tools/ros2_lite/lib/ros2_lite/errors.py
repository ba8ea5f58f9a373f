"""Errors of the `ros2` command, and how it refuses what it does not support."""

INSTALL = "install ROS 2 from apt for the full ros2 command (docs.ros.org, Installation)"


class CommandError(Exception):
    """The command cannot be run; the message says why and what to do."""


class UnsupportedError(CommandError):
    """A feature of ROS 2 that this program does not have."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not supported by ros2_lite, which has only what this project uses: {INSTALL}")


def refuse_unknown_name(module: str, name: str):
    """For a module's __getattr__: refuses `from module import name`."""
    if name.startswith("__"):  # the import system looks for optional names like __path__
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    raise UnsupportedError(f"{module}.{name}")


def refuse_unknown_keywords(owner: object, keywords: dict) -> None:
    """For a constructor's **keywords: refuses arguments that the real class may have but ours does not."""
    if keywords:
        raise UnsupportedError(f"{type(owner).__name__}({', '.join(f'{name}=' for name in sorted(keywords))})")

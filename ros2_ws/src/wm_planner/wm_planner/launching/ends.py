"""What the launch files do when a process ends."""


def unexpected_end(part: str, event, context) -> None:
    """Raise RuntimeError, which ends the launch with an error, unless the launch is ending anyway.

    ``part`` names the process for people; ``event`` and ``context`` are what launch gives to ``on_exit``.
    """
    if not context.is_shutdown:
        raise RuntimeError(f"the {part} ended with exit code {event.returncode}; its last lines say why")

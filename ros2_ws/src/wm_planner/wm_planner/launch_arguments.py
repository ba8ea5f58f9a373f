"""What the launch files read their arguments with."""


def value(context, name, kind=str):
    """A launch argument's value as a `kind`; raises RuntimeError if it is none."""
    from launch.substitutions import LaunchConfiguration  # only launch files have it

    text = LaunchConfiguration(name).perform(context)
    try:
        return kind(text)
    except ValueError:
        raise RuntimeError(f"{name}:={text}: expected a value of type {kind.__name__}") from None

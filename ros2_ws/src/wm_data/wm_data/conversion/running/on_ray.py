"""Conversion on a Ray cluster: one task per drive. Sources and destination must be reachable from every node."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef
from wm_data.errors import ConversionError

# A cluster on this machine uses only the loopback address (the first one; outside Linux it does so anyway) and reports
# no usage. And the dashboard process, which always runs, asks the network which cloud it is in: with a proxy address
# at which nothing listens, the request fails.
_OFF_THE_NETWORK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1,localhost,::1",
}


def convert_on_ray(todo: list[DriveRef], options: ConvertOptions) -> Iterator[dict]:
    """The records of the drives, in the order of completion.

    At most ``options.workers`` tasks run at a time. RAY_ADDRESS names the cluster; without it a local one is started
    for the duration. Raises ConversionError where Ray is not installed or not reachable, and OSError where the
    destination cannot be written."""
    address = os.environ.get("RAY_ADDRESS")
    local = {"num_cpus": options.workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        with nullcontext() if address else _kept_on_this_machine():
            import ray

            ray.init(
                address=address or "local", log_to_driver=False, logging_level="error", **({} if address else local)
            )
    except ImportError:
        raise ConversionError("--executor ray needs Ray: pip install -r requirements/ray.txt") from None
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConversionError(f"no Ray cluster at {address or 'this machine'}: {error}") from None
    try:
        task = ray.remote(num_cpus=1)(_convert)
        waiting = list(todo)
        running = []
        while waiting or running:
            while waiting and len(running) < options.workers:
                running.append(task.remote(waiting.pop(0), options))
            ready, running = ray.wait(running)
            for reference in ready:
                try:
                    yield ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None
                except ray.exceptions.RayError as error:
                    raise ConversionError(f"a Ray worker failed ({error}): continue with --resume") from None
    finally:
        ray.shutdown()


@contextmanager
def _kept_on_this_machine() -> Iterator[None]:
    """Keep Ray off the network by environment variables, its only setting for this."""
    before = {name: os.environ.get(name) for name in _OFF_THE_NETWORK}
    os.environ.update(_OFF_THE_NETWORK)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _convert(ref: DriveRef, options: ConvertOptions) -> dict:
    from wm_data.conversion.running.unit import convert_unit

    return convert_unit(ref, options)

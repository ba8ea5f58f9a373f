"""Work on a Ray cluster: what every command with `--executor ray` uses."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# A cluster on this machine uses only the loopback address (the first one; outside Linux it does so anyway) and reports
# no usage. And the dashboard process, which always runs, asks the network which cloud it is in: with a proxy address
# at which nothing listens, the request fails.
_OFF_THE_NETWORK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1,localhost,::1",
}

ATTEMPTS = 3  # Ray gives the processes of a local cluster 30 s, which a busy machine may need more than once


class ClusterError(RuntimeError):
    """Ray is not installed, or its cluster is not reachable."""


def results_on_ray(
    work: Callable[[Item, Any], Result],
    todo: Sequence[Item],
    common: Any,
    workers: int | None,
    lost: Callable[[Item, str], Result],
    begun: Callable[[Item], None] = lambda item: None,
) -> Iterator[Result]:
    """``work(item, common)`` for each item as a task of one core, in the order of completion.

    At most ``workers`` tasks run at a time, None: as many as the cluster has cores; ``begun`` gets the item of each.
    RAY_ADDRESS names the cluster; without it a local one is started for the duration. A task whose worker or machine
    was lost runs again, several times if need be; then ``lost`` gets the item and the reason. Raises ClusterError, and
    what ``work`` raises.
    """
    ray = _connected(workers)
    try:
        task, shared = ray.remote(num_cpus=1)(work), ray.put(common)
        waiting, running = deque(todo), {}
        while waiting or running:
            while waiting and len(running) < (workers or max(1, int(ray.cluster_resources().get("CPU", 1)))):
                item = waiting.popleft()
                running[task.remote(item, shared)] = item
                begun(item)
            ready, _ = ray.wait(list(running))
            for reference in ready:
                item = running.pop(reference)
                try:
                    result = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from None
                except ray.exceptions.RayError as error:
                    result = lost(item, f"its Ray worker failed: {error}")
                yield result
    finally:
        ray.shutdown()


def _connected(workers: int | None) -> Any:
    """The module ray, connected to the cluster. Raises ClusterError."""
    address = os.environ.get("RAY_ADDRESS")
    local = {"address": "local", "num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    on_sigterm = signal.getsignal(signal.SIGTERM)
    with nullcontext() if address else _kept_on_this_machine():
        try:
            import ray
        except ImportError:
            raise ClusterError("--executor ray needs Ray: pip install -r requirements/ray.txt") from None
        for left in reversed(range(1 if address else ATTEMPTS)):
            try:
                ray.init(log_to_driver=False, logging_level="error", **({"address": address} if address else local))
                break
            except Exception as error:  # Ray raises a bare Exception where its processes did not start in time
                if not left:
                    raise ClusterError(f"no Ray cluster at {address or 'this machine'}: {error}") from None
    signal.signal(signal.SIGTERM, on_sigterm)  # Ray sets its own
    return ray


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

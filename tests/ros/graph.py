"""Real ROS graphs for tests: a domain of its own for each, nodes as separate processes, nothing left behind.

Every graph stays on this machine, and two test runs beside each other do not mix: a domain id is held by a lock
on a file that all runs share, until the test module that took it is over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import rclpy
from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from wm_bundle.processes.ros_distribution import discovery, local_environment
from wm_tools.drive.domain import is_unused

# DDS derives its ports from the domain id; ids up to 101 stay below Linux's ephemeral ports. The low ones are
# what people use by hand.
DOMAIN_IDS = range(50, 102)
LOCK_FOLDER = Path(tempfile.gettempdir()) / f"wm_test_domains_{os.getuid()}"

_held_domains = {}


class GraphError(RuntimeError):
    """A graph could not be started or did not end in time."""


def fresh_domain_id() -> int:
    """Returns a domain id that no other test run here uses; raises GraphError when all are taken."""
    LOCK_FOLDER.mkdir(exist_ok=True)
    for domain_id in random.sample(DOMAIN_IDS, len(DOMAIN_IDS)):
        if domain_id in _held_domains:
            continue
        lock = open(LOCK_FOLDER / str(domain_id), "w")  # stays open: closing it gives the domain back
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        if not is_unused(domain_id):  # what a killed test run left behind would join this graph
            lock.close()
            continue
        _held_domains[domain_id] = lock
        return domain_id
    raise GraphError(f"all {len(DOMAIN_IDS)} test domains are in use; end other test runs (locks in {LOCK_FOLDER})")


def release_domain_ids() -> None:
    """Gives back every domain id this process holds; its graphs must have ended."""
    while _held_domains:
        _held_domains.popitem()[1].close()


def environment(domain_id: int) -> dict[str, str]:
    """Returns this process's environment for a child in the given domain, its graph kept on this machine."""
    return {**local_environment(domain_id), "PYTHONUNBUFFERED": "1", "RCUTILS_COLORIZED_OUTPUT": "0"}


class GraphProcess:
    """A running executable in its own process group; its output goes to a file. Use it as a context manager.

    `process` is the subprocess.Popen, `command` what was run.
    """

    def __init__(self, command: list[str], *, domain_id: int, **popen) -> None:
        self.command = command
        self._log = tempfile.NamedTemporaryFile(prefix="graph_", suffix=".log")
        variables = {**environment(domain_id), **popen.pop("env", {})}
        self.process = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **popen,
        )

    def output(self) -> str:
        """Everything it has written to standard output and standard error so far."""
        return Path(self._log.name).read_text(errors="replace")

    def wait(self, timeout_s: float) -> int:
        """Waits for its end, returns the exit code; raises GraphError with its output after `timeout_s`."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise GraphError(
                f"{' '.join(self.command)} still runs after {timeout_s} s; its output:\n{self.output()}"
            ) from None

    def wait_for_output(self, text: str, timeout_s: float) -> str:
        """Waits until it has written `text`, returns all output; raises GraphError if it ends or is late."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output():
            if self.process.poll() is not None and text not in self.output():
                raise GraphError(
                    f"{' '.join(self.command)} ended with {self.process.returncode} before writing {text!r}; "
                    f"its output:\n{self.output()}"
                )
            if time.monotonic() > deadline:
                raise GraphError(
                    f"{' '.join(self.command)} did not write {text!r} within {timeout_s} s; "
                    f"its output:\n{self.output()}"
                )
            time.sleep(0.05)
        return self.output()

    def stop(self, timeout_s: float = 10.0) -> int:
        """Asks it to end (SIGINT), returns its exit code; raises GraphError after `timeout_s`."""
        if self.process.poll() is None:
            self._signal(signal.SIGINT)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """Ends the whole process group at once, as a crash would."""
        self._signal(signal.SIGKILL)
        self.process.wait(10.0)

    def _signal(self, number: int) -> None:
        # The group can outlive its first process, so it is signalled even after that one has ended.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def __enter__(self) -> GraphProcess:
        return self

    def __exit__(self, *_) -> None:
        self.kill()
        self._log.close()


def start(package: str, executable: str, *args: str, domain_id: int, **popen) -> GraphProcess:
    """Starts <prefix>/lib/<package>/<executable>, as `ros2 run` does; raises GraphError if there is none."""
    try:
        path = Path(get_package_prefix(package)) / "lib" / package / executable
    except (OSError, PackageNotFoundError) as error:
        raise GraphError(f"package {package} is not in use: source env.sh first ({error})") from error
    if not path.is_file():
        raise GraphError(f"{path} does not exist: run 'make setup', or correct the executable's name")
    return GraphProcess([str(path), *args], domain_id=domain_id, **popen)


@contextlib.contextmanager
def domain_variables(domain_id: int):
    """The middleware's variables of the domain, while a context is made."""
    before = {name: os.environ.get(name) for name in discovery(domain_id)}
    os.environ.update(discovery(domain_id))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextlib.contextmanager
def rclpy_context(domain_id: int):
    """Yields an initialised rclpy.Context in the given domain and shuts it down afterwards."""
    context = rclpy.Context()
    with domain_variables(domain_id):
        rclpy.init(context=context, domain_id=domain_id)
    try:
        yield context
    finally:
        rclpy.try_shutdown(context=context)


@contextlib.contextmanager
def default_context(domain_id: int, argv: list[str]):
    """The default context in the given domain, with these arguments: for nodes that are made as in their process."""
    with domain_variables(domain_id):
        rclpy.init(args=argv, domain_id=domain_id)
    try:
        yield
    finally:
        rclpy.try_shutdown()

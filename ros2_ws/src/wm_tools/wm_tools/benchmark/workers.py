"""Trials in several processes of this machine at once, each with a ROS domain of its own.

A trial is handed out when a worker is free, because trials take differently long. The trial of a worker that dies is
driven once more.
"""

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

from wm_bundle.processes.stop_signals import raise_when_stopped

from wm_tools.benchmark.plan import Trial
from wm_tools.benchmark.trial_driver import TrialDriver
from wm_tools.common.errors import DriveError
from wm_tools.drive.processes import describe_exit, die_with_parent

_STOP_S = 30.0  # for a worker to end the processes of its trial
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STATE, _LINE, _EPISODE, _ERROR = "state", "line", "episode", "error"  # what a worker sends


def drive_in_processes(
    driver: TrialDriver,
    trials: Sequence[Trial],
    workers: int,
    show: Callable[[Trial, str], None],
    tell: Callable[[str], None],
) -> Iterator[tuple[Trial, dict]]:
    """Yield each trial with its line of episodes.jsonl, in the order of completion. ``show`` gets a trial and its
    state, ``tell`` lines of text. Raises what ``TrialDriver.drive`` raises in a worker, and RuntimeError with the
    traceback of a fault there."""
    waiting, died = deque(trials), set()
    with _Crew(driver) as crew:
        while waiting or crew.busy:
            while waiting and len(crew.busy) < workers:
                crew.give(waiting.popleft())
            for worker in crew.ready():
                trial, (kind, content) = worker.trial, worker.receive()
                if kind == _STATE:
                    show(trial, content)
                elif kind == _LINE:
                    tell(content)
                elif kind == _ERROR:
                    raise content
                elif kind == _EPISODE:
                    worker.trial = None
                    yield trial, content
                else:
                    crew.dismiss(worker)
                    reason = f"its worker process ended unexpectedly ({content})"
                    if trial.key in died:
                        yield trial, driver.lost(trial, f"{reason}, for the second time")
                    else:
                        died.add(trial.key)
                        tell(f"{trial.title}: {reason}; it is driven again")
                        waiting.append(trial)


class _Crew:
    """The workers; a context manager that ends them all."""

    def __init__(self, driver: TrialDriver):
        self._driver = driver
        self._workers: list[_Worker] = []

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_exception) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()

    @property
    def busy(self) -> list["_Worker"]:
        return [worker for worker in self._workers if worker.trial is not None]

    def give(self, trial: Trial) -> None:
        """To one who is free, or a new one."""
        worker = next((worker for worker in self._workers if worker.trial is None), None)
        if worker is None:
            worker = _Worker(self._driver)
            self._workers.append(worker)
        worker.trial = trial
        with contextlib.suppress(OSError):  # it has died, which shows when it is read from
            worker.connection.send(trial)

    def ready(self) -> list["_Worker"]:
        """Wait for news; those who have some."""
        found = wait([worker.connection for worker in self.busy])
        return [worker for worker in self.busy if worker.connection in found]

    def dismiss(self, worker: "_Worker") -> None:
        self._workers.remove(worker)
        worker.end()


class _Worker:
    """A worker process, and the trial that it drives."""

    def __init__(self, driver: TrialDriver):
        self.trial: Trial | None = None
        # Spawned, not forked: a fork copies the locks of the middleware's threads.
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, driver), daemon=True)
        resource_tracker.ensure_running()  # otherwise begun by the first start, which then lets the signals through
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # inherited: it loads its modules undisturbed
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        theirs.close()  # the worker has the only one, so its end shows

    def receive(self) -> tuple[str, object]:
        """Kind and content of a message; the kind is none of the above, and the content says how, if it has ended."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join(_STOP_S)
            code = self.process.exitcode
            return "end", "it does not answer" if code is None else describe_exit(code)

    def end(self) -> None:
        self.process.join(_STOP_S)
        if self.process.exitcode is None:
            self.process.kill()  # its own processes die with it
            self.process.join()
        self.connection.close()


def _work(connection: Connection, driver: TrialDriver) -> None:
    """Drive the trials that come, until SIGTERM."""
    die_with_parent()
    os.setsid()  # Ctrl-C is for the benchmark, which then ends us in order
    try:
        raise_when_stopped()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        while True:
            trial = connection.recv()
            try:
                episode = driver.drive(
                    trial, lambda state: connection.send((_STATE, state)), lambda line: connection.send((_LINE, line))
                )
            except (DriveError, OSError) as error:
                connection.send((_ERROR, error))
            except Exception:
                connection.send((_ERROR, RuntimeError(f"a fault in a worker\n{traceback.format_exc()}")))
            else:
                connection.send((_EPISODE, episode))
    except (KeyboardInterrupt, EOFError):
        return

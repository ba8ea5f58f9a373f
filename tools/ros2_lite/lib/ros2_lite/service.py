"""Runs a launch description: starts its processes, relays their output, and ends them all, whatever happens."""

from __future__ import annotations

import asyncio
import signal
import sys

from launch.actions import ExecuteProcess, Shutdown

from launch import LaunchContext, LaunchDescription
from ros2_lite.child import Child
from ros2_lite.errors import CommandError

# The signals that end a launch, all in the same way.
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class LaunchService:
    """One run of one launch description."""

    def __init__(self, arguments: dict[str, str]) -> None:
        self._context = LaunchContext(arguments)
        self._children: dict[asyncio.Task, Child] = {}
        self._endings: set[asyncio.Task] = set()
        self._exit_code = 0
        self._started = 0
        self._output_is_open = True

    async def run(self, description: LaunchDescription) -> int:
        """Runs until every process has ended; returns 0, or the exit code of the first that failed.

        A launch ended by a signal returns 128 plus its number; any other error 1.
        """
        loop = asyncio.get_running_loop()
        for number in ENDING_SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        await self._execute(description.entities)
        while self._children:
            done, _ = await asyncio.wait(self._children, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await self._on_exit(self._children.pop(task), task.result())
        for ending in self._endings:
            ending.cancel()
        return self._exit_code

    async def _execute(self, entities) -> None:
        """Executes actions, and those that result from them, one after another."""
        for entity in entities or []:
            try:
                if isinstance(entity, Shutdown):
                    self._shut_down(entity.reason)
                elif isinstance(entity, ExecuteProcess):
                    await self._start(entity)
                else:
                    await self._execute(entity.execute(self._context))
            except Exception as error:  # a launch file's own code may raise anything; the children must still end
                self._fail(f"{error}", 1)
                return

    async def _start(self, action: ExecuteProcess) -> None:
        if self._context.is_shutdown:
            return
        self._started += 1
        child = Child(action, f"{action.label}-{self._started}", self._relay)
        try:
            await child.start()
        except OSError as error:
            raise CommandError(f"{action.cmd[0]} cannot be started: {error.strerror}") from error
        self._children[asyncio.create_task(child.wait())] = child
        if self._context.is_shutdown:  # the launch began to end while it started
            self._endings.add(asyncio.create_task(child.end(self._report)))
        self._report("INFO", child.name, f"process started with pid [{child.pid}]")

    async def _on_exit(self, child: Child, code: int) -> None:
        if code == 0:
            self._report("INFO", child.name, f"process has finished cleanly [pid {child.pid}]")
        else:
            self._report("ERROR", child.name, f"process has died [pid {child.pid}, exit code {code}]")
        failed = code != 0 and not self._context.is_shutdown
        try:
            entities = child.action.on_exit_entities(code, self._context) if child.action.on_exit is not None else None
        except Exception as error:
            self._keep_exit_code(code if failed else 0)
            self._fail(f"{error}", 1)
            return
        # A handler that returns no actions accepts this exit, like in the real launch.
        if failed and not (callable(child.action.on_exit) and entities is None):
            self._keep_exit_code(code)
        await self._execute(entities)

    def _keep_exit_code(self, code: int) -> None:
        # As in a shell: a process ended by a signal counts as 128 plus the signal's number.
        self._exit_code = self._exit_code or (code if code >= 0 else 128 - code)

    def _fail(self, message: str, code: int) -> None:
        self._report("ERROR", "launch", message)
        self._exit_code = self._exit_code or code
        self._shut_down("error")

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._context.is_shutdown:
            self._report("WARNING", "launch", f"{name} while the launch is already ending: ignored")
            return
        self._report("WARNING", "launch", f"{name}: ending all processes")
        self._exit_code = self._exit_code or 128 + number
        self._shut_down(name)

    def _shut_down(self, reason: str) -> None:
        """Starts ending every child; the run ends when they have ended. Later calls do nothing."""
        if self._context.is_shutdown:
            return
        self._context.is_shutdown = True
        self._report("INFO", "launch", f"shutting down: {reason}")
        self._endings = {asyncio.create_task(child.end(self._report)) for child in self._children.values()}

    def _report(self, level: str, source: str, text: str) -> None:
        self._relay(sys.stdout if level == "INFO" else sys.stderr, f"[{level}] [{source}]: {text}")

    def _relay(self, stream, line: str) -> None:
        """Writes one line; if the output is closed (`| head`), the launch ends."""
        if not self._output_is_open:
            return
        try:
            print(line, file=stream, flush=True)
        except BrokenPipeError:
            self._output_is_open = False
            self._shut_down("the output is closed")

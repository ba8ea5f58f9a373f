"""A child process: its own process group, output line by line, shutdown in three steps."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys

from launch.actions import ExecuteProcess

# Upstream's deadlines: SIGINT, after this many seconds SIGTERM, after as many again SIGKILL.
SIGTERM_AFTER_S = 5.0
SIGKILL_AFTER_S = 5.0
CHUNK_BYTES = 65536
PR_SET_PDEATHSIG = 1


class Child:
    """A process of the launch; `name` is the prefix of its output, `relay(stream, line)` writes a line."""

    def __init__(self, action: ExecuteProcess, name: str, relay) -> None:
        self.action = action
        self.name = name
        self._relay = relay
        self._process = None
        self._has_ended = asyncio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> None:
        """Starts it; raises OSError if the executable cannot be run."""
        self._process = await asyncio.create_subprocess_exec(
            *self.action.cmd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.action.additional_env},
            start_new_session=True,  # Ctrl-C reaches the launch only, which passes it on once
            preexec_fn=_end_with_parent,
        )

    async def wait(self) -> int:
        """Waits for its end and the end of its output, and kills the rest of its group; returns the exit code."""
        relays = asyncio.gather(
            self._relay_lines(self._process.stdout, sys.stdout), self._relay_lines(self._process.stderr, sys.stderr)
        )
        code = await self._process.wait()
        self._has_ended.set()
        self._signal(signal.SIGKILL)  # orphaned processes that it started
        await relays
        self.action.clean_up()
        return code

    async def end(self, report) -> None:
        """Ends it with increasingly forceful signals; `report(level, source, text)` reports the later ones."""
        self._signal(signal.SIGINT)
        for deadline_s, number in ((SIGTERM_AFTER_S, signal.SIGTERM), (SIGKILL_AFTER_S, signal.SIGKILL)):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._has_ended.wait(), deadline_s)
            if self._has_ended.is_set():
                return
            report("ERROR", self.name, f"has not ended within {deadline_s:.0f} s: sending {number.name}")
            self._signal(number)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def _relay_lines(self, reader: asyncio.StreamReader, stream) -> None:
        rest = b""
        while chunk := await reader.read(CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > CHUNK_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._relay(stream, f"[{self.name}] {line.decode(errors='replace')}")
        if rest:
            self._relay(stream, f"[{self.name}] {rest.decode(errors='replace')}")


def _end_with_parent() -> None:
    """Runs in the child before exec: the kernel sends it SIGTERM if the launch is killed and cannot end it itself."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

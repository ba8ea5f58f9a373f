"""The web server of the live view: static pages, and a websocket that sends each browser what is new. No ROS.

A websocket message is the length of the JSON part (4 bytes, little-endian), the JSON, then the JPEG files that its
``pictures`` lists as [name, bytes]. The browser answers each message with any short text once it has drawn it, and only
then gets the next one, with the latest state. So nothing queues up for a slow browser, and it does not delay others.
"""

import asyncio
import contextlib
import ipaddress
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import resources

from aiohttp import WSMsgType, web

from wm_tools.live_view.expectations import Expectations
from wm_tools.live_view.pictures import OnceEach, show_camera, show_imagined
from wm_tools.live_view.state import LiveState, Seen

UPDATE_PERIOD_S = 0.1  # between messages to one browser
ANSWER_TIMEOUT_S = 10.0  # a browser that takes longer has left or sleeps
MOST_CLIENTS = 8
_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 5.0
_PAGES = {
    "/": ("view.html", "text/html"),
    "/view.css": ("view.css", "text/css"),
    "/view.js": ("view.js", "text/javascript"),
    "/charts.js": ("charts.js", "text/javascript"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class ViewError(RuntimeError):
    """The server cannot run; the message says why."""


@dataclass
class _Client:
    seen: Seen = field(default_factory=Seen)
    pictures: dict[str, int] = field(default_factory=dict)  # sequence numbers


class ViewServer:
    """Serves the page and the updates of ``state`` in a separate thread."""

    def __init__(self, state: LiveState, address: str, port: int):
        """``port`` 0: any free one."""
        self._state = state
        self._address, self._port = address, port
        self._clients: set[web.WebSocketResponse] = set()
        shows_imagined = partial(show_imagined, expectations=Expectations())
        self._pictures = {"camera": OnceEach(show_camera), "imagined": OnceEach(shows_imagined)}
        self._started = threading.Event()
        self._rest: asyncio.Event | None = None
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="live view server", daemon=True)

    def start(self) -> int:
        """Start listening; returns the port. Raises ViewError if that is not possible."""
        self._thread.start()
        if not self._started.wait(_START_TIMEOUT_S):
            raise ViewError(f"the server did not start within {_START_TIMEOUT_S:g} s")
        if self._failure is not None:
            raise ViewError(self._failure)
        return self._port

    def stop(self) -> None:
        if self._thread.is_alive():
            self._in_its_loop(self._stopping.set)
            self._thread.join(_STOP_TIMEOUT_S)

    def planner_rests(self) -> None:
        """Call from any thread when the planner has just sent a command and waits for the next picture: the time to
        send and draw an update. On a machine with few cores, a browser that draws while the planner plans delays it."""
        if self._rest is not None and self._thread.is_alive():
            self._in_its_loop(self._wake)

    def _in_its_loop(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed a moment before the thread ends
            self._loop.call_soon_threadsafe(callback)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def watchers(self) -> int:
        return len(self._clients)

    # In the server's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._failure = f"the server has ended: {error}"
            raise
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._rest = asyncio.Event()
        application = web.Application(middlewares=[_guard], client_max_size=1024)
        application.on_response_prepare.append(_add_headers)
        application.on_shutdown.append(self._close_clients)
        folder = resources.files(__package__) / "assets"
        for path, (file, kind) in _PAGES.items():
            application.router.add_get(path, _page((folder / file).read_text("utf-8"), kind))
        application.router.add_get("/updates", self._updates)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        try:
            await runner.setup()
            await web.TCPSite(runner, self._address, self._port).start()
            self._port = runner.addresses[0][1]
        except OSError as error:
            reason = error.strerror or str(error)
            self._failure = (
                f"cannot listen on {self._address} port {self._port}: {reason}; "
                f"choose another port, or 0 for any free one"
            )
        self._started.set()
        if self._failure is None:
            await self._stopping.wait()
        await runner.cleanup()

    async def _close_clients(self, _) -> None:
        for client in set(self._clients):
            await client.close(code=1001, message=b"the live view ends")

    async def _updates(self, request: web.Request) -> web.WebSocketResponse:
        if request.headers.get("Origin") != f"{request.scheme}://{request.host}":
            raise web.HTTPForbidden(text="only the live view's own page may connect\n")
        if len(self._clients) >= MOST_CLIENTS:
            raise web.HTTPServiceUnavailable(text=f"{MOST_CLIENTS} browsers look already: close one\n")
        socket = web.WebSocketResponse(max_msg_size=64, compress=False)
        await socket.prepare(request)
        self._clients.add(socket)
        try:
            await self._tell(socket)
        finally:
            self._clients.discard(socket)
        return socket

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        client = _Client()
        while not socket.closed:
            pause = self._loop.create_task(asyncio.sleep(UPDATE_PERIOD_S))
            try:
                if not await asyncio.wait_for(self._exchange(socket, client), ANSWER_TIMEOUT_S):
                    return
                await pause
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._rest.wait(), UPDATE_PERIOD_S)
            except (asyncio.TimeoutError, ConnectionError):
                return
            finally:
                pause.cancel()

    def _wake(self) -> None:
        """Wakes the current waiters; later ones wait for the next time."""
        self._rest.set()
        self._rest.clear()

    async def _exchange(self, socket: web.WebSocketResponse, client: _Client) -> bool:
        """Send what is new and wait until it is drawn; returns whether the browser still listens."""
        await socket.send_bytes(self._message(client))
        return (await socket.receive()).type is WSMsgType.TEXT

    def _message(self, client: _Client) -> bytes:
        update, jpegs = self._state.update(client.seen), []
        update["pictures"] = []
        for name, latest in (("camera", self._state.camera), ("imagined", self._state.imagined)):
            if latest is None or client.pictures.get(name) == latest.sequence:
                continue
            client.pictures[name] = latest.sequence
            shown = self._pictures[name].of(latest)
            update[name] = shown.facts
            if shown.jpeg:
                update["pictures"].append([name, len(shown.jpeg)])
                jpegs.append(shown.jpeg)
        text = json.dumps(update, allow_nan=False, separators=(",", ":")).encode()
        return b"".join((len(text).to_bytes(4, "little"), text, *jpegs))


def _page(text: str, kind: str):
    async def respond(_: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, charset="utf-8")

    return respond


@web.middleware
async def _guard(request: web.Request, handler):
    """Answer only requests to an IP address or localhost.

    A page of another site can make its own host name point to this machine, and would then have the same origin as ours
    (DNS rebinding); but the browser still sends that name.
    """
    if not is_own_host(request.headers.get("Host", "")):
        raise web.HTTPForbidden(text="use this server's IP address or localhost\n")
    return await handler(request)


def is_own_host(host: str) -> bool:
    """Whether a Host header is an IP address or localhost, with or without a port."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name = host
    elif not port.isdecimal():
        return False
    if name == "localhost":
        return True
    try:
        if name.startswith("[") and name.endswith("]"):
            return ipaddress.ip_address(name[1:-1]).version == 6
        return ipaddress.ip_address(name).version == 4
    except ValueError:
        return False


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)

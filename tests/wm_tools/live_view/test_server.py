"""The live view's server over real sockets: who may ask, and that slow browsers hold up nobody."""

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import cv2
import numpy as np
import pytest
from wm_tools.live_view import server as server_module
from wm_tools.live_view.server import MOST_CLIENTS, ViewError, ViewServer, is_own_host
from wm_tools.live_view.state import LiveState

DEADLINE_S = 20.0


@pytest.fixture
def state() -> LiveState:
    return LiveState("ego_vehicle")


@pytest.fixture
def server(state):
    server = ViewServer(state, "127.0.0.1", 0)
    server.port = server.start()
    yield server
    server.stop()
    assert not server.alive


def within_deadline(make):
    async def limited():
        async with aiohttp.ClientSession() as session:
            return await asyncio.wait_for(make(session), DEADLINE_S)

    # In a thread of its own: playwright's loop occupies this one once a test has opened a browser.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, limited()).result()


def url(server, path: str = "/") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def listen(session, server, **headers):
    origin = {"Origin": f"http://127.0.0.1:{server.port}", **headers}
    return session.ws_connect(url(server, "/updates"), headers=origin)


def read(data: bytes) -> tuple[dict, dict[str, bytes]]:
    """The JSON and the pictures of one message."""
    end = 4 + int.from_bytes(data[:4], "little")
    update, pictures = json.loads(data[4:end]), {}
    for name, size in update["pictures"]:
        pictures[name] = data[end : end + size]
        end += size
    assert end == len(data)
    return update, pictures


async def next_update(client) -> tuple[dict, dict[str, bytes]]:
    return read(await client.receive_bytes(timeout=DEADLINE_S))


def grey(level: int):
    return lambda: np.full((32, 32, 3), level, np.uint8)


def level_of(jpeg: bytes) -> int:
    return round(float(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).mean()))


def wait_for(condition) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_the_page_and_its_parts_are_served_with_a_policy_that_allows_nothing_foreign(server):
    async def get(session):
        for path in ("/", "/view.css", "/view.js", "/charts.js"):
            async with session.get(url(server, path)) as answer:
                assert answer.status == 200 and await answer.text()
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]

    within_deadline(get)


def test_it_listens_on_its_one_address_only(server):
    # Every address of 127.0.0.0/8 is this machine's own: one that listens on all would answer here too.
    for address, reached in (("127.0.0.1", True), ("127.0.0.2", False)):
        with socket.socket() as probe:
            probe.settimeout(DEADLINE_S)
            assert (probe.connect_ex((address, server.port)) == 0) is reached


@pytest.mark.parametrize(
    "host, own",
    [
        ("127.0.0.1:8765", True),
        ("localhost:8765", True),
        ("localhost", True),
        ("[::1]:8765", True),
        ("[::1]", True),
        ("192.168.1.7:9000", True),
        ("evil.example:8765", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8765", False),
        ("", False),
        ("127.0.0.1:port", False),
        ("::1", False),
        ("[127.0.0.1]:80", False),
        ("2130706433:80", False),
    ],
)
def test_only_addresses_and_localhost_are_its_own_names(host, own):
    assert is_own_host(host) is own


def test_another_name_in_the_host_header_is_refused_everywhere(server):
    async def get(session):
        for path in ("/", "/view.js", "/updates"):
            async with session.get(url(server, path), headers={"Host": f"evil.example:{server.port}"}) as answer:
                assert answer.status == 403

    within_deadline(get)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
def test_pages_of_other_origins_may_not_listen(server, origin):
    async def connect(session):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url(server, "/updates"), headers={"Origin": origin} if origin else {})
        assert refused.value.status == 403

    within_deadline(connect)
    assert server.watchers == 0


@pytest.mark.parametrize("path", ["/../server.py", "/%2e%2e/server.py", "/assets/view.html", "/etc/passwd", "//etc"])
def test_a_path_of_the_request_never_names_a_file(server, path):
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert b" 404 " in connection.makefile("rb").readline()


def test_nothing_but_get_is_answered(server):
    async def post(session):
        for method in ("POST", "PUT", "DELETE"):
            async with session.request(method, url(server)) as answer:
                assert answer.status == 405

    within_deadline(post)


def test_a_client_gets_each_picture_once_and_only_the_latest(server, state):
    async def watch(session):
        async with listen(session, server) as client:
            update, pictures = await next_update(client)
            assert update["mode"] is None and pictures == {}
            for level in (10, 100, 200):
                state.take_camera(level, grey(level))
            await client.send_str("next")
            _, pictures = await next_update(client)
            assert abs(level_of(pictures["camera"]) - 200) < 3
            await client.send_str("next")
            assert (await next_update(client))[1] == {}

    within_deadline(watch)
    wait_for(lambda: server.watchers == 0)


def test_a_client_that_never_answers_has_one_message_queued_and_others_go_on(server, state):
    async def watch(session):
        async with listen(session, server) as slow, listen(session, server) as quick:
            for number in range(10):
                state.take_camera(number, grey(20 * number))
                update, _ = await next_update(quick)
                await quick.send_str("next")
            assert update["frames"]["seen"] == 10
            await next_update(slow)
            with pytest.raises(asyncio.TimeoutError):
                await slow.receive(timeout=0.5)  # nothing more is on its way
            await slow.send_str("next")
            update, pictures = await next_update(slow)
            assert update["frames"]["seen"] == 10  # the present, not what it missed
            assert abs(level_of(pictures["camera"]) - 180) < 3

    within_deadline(watch)


def test_a_client_that_does_not_answer_in_time_is_let_go(state, monkeypatch):
    monkeypatch.setattr(server_module, "ANSWER_TIMEOUT_S", 0.3)
    server = ViewServer(state, "127.0.0.1", 0)
    server.port = server.start()

    async def watch(session):
        async with listen(session, server) as client:
            await next_update(client)
            assert (await client.receive(timeout=DEADLINE_S)).type in (
                aiohttp.WSMsgType.CLOSE,
                aiohttp.WSMsgType.CLOSING,
                aiohttp.WSMsgType.CLOSED,
            )

    within_deadline(watch)
    wait_for(lambda: server.watchers == 0)
    server.stop()


def test_what_a_client_says_beyond_a_word_ends_its_connection(server):
    async def shout(session):
        async with listen(session, server) as client:
            await next_update(client)
            await client.send_str("x" * 1000)
            assert (await client.receive(timeout=DEADLINE_S)).type is aiohttp.WSMsgType.CLOSE

    within_deadline(shout)
    assert server.alive


def test_more_browsers_than_it_serves_are_told_so(server):
    async def crowd(session):
        clients = [await listen(session, server) for _ in range(MOST_CLIENTS)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await listen(session, server)
        assert refused.value.status == 503
        for client in clients:
            await client.close()

    within_deadline(crowd)


def test_a_taken_port_is_named_with_what_to_do(server, state):
    with pytest.raises(ViewError, match=rf"127\.0\.0\.1 port {server.port}: .*choose another port"):
        ViewServer(state, "127.0.0.1", server.port).start()


def test_an_update_waits_for_the_planner_to_rest(server, monkeypatch):
    """Drawing while it plans would make it late; without a planner updates come all the same, a period later."""
    period_s = 3.0
    monkeypatch.setattr(server_module, "UPDATE_PERIOD_S", period_s)

    async def seconds_to_next(client, rests_after_s: float | None) -> float:
        await client.send_str("drawn")
        begin_s = time.monotonic()
        if rests_after_s is not None:
            asyncio.get_running_loop().call_later(rests_after_s, server.planner_rests)
        await next_update(client)
        return time.monotonic() - begin_s

    async def watch(session):
        async with listen(session, server) as client:
            await next_update(client)
            return [await seconds_to_next(client, rests) for rests in (1.1 * period_s, None)]

    with_planner, without = within_deadline(watch)
    assert period_s < with_planner < without and without > 1.9 * period_s


def test_a_server_is_stopped_and_woken_while_its_thread_ends_without_a_word(state, monkeypatch):
    run, loop_is_closed = asyncio.run, threading.Event()

    def end_slowly(main):
        run(main)
        loop_is_closed.set()
        time.sleep(0.5)

    monkeypatch.setattr(server_module.asyncio, "run", end_slowly)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = ViewServer(state, "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ViewError, match="cannot listen on"):
            server.start()
    assert loop_is_closed.wait(DEADLINE_S) and server.alive
    server.planner_rests()
    server.stop()
    assert not server.alive

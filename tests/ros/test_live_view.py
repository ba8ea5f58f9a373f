"""The live view of a running drive in a real browser, and in the launch files."""

import os
import re
import shutil
import signal
import socket
import time

import graph
import pytest
import rclpy
from browser import PHONE, browser, visit  # noqa: F401
from tiny_bundle import make_tiny_bundle

START_S = 60.0
BROWSER_MS = 60_000
IMAGINED = "/carla/ego_vehicle/planner/imagined"
CAMERA = "/carla/ego_vehicle/rgb_front/image"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("view") / "tiny")


def parameters(*values: str) -> list[str]:
    return ["--ros-args", *(word for value in values for word in ("-p", value))]


def start_view(domain_id: int) -> tuple[graph.GraphProcess, str]:
    """The running node and its page's address."""
    process = graph.start("wm_planner", "live_view", *parameters("port:=0"), domain_id=domain_id)
    return process, address_in(process)


def address_in(process: graph.GraphProcess) -> str:
    output = process.wait_for_output("live view: http://", START_S)
    return re.search(r"live view: (http://\S+/)", output).group(1)


def start_drive(domain_id: int, bundle) -> list[graph.GraphProcess]:
    """Simulator in real time, planner and command watchdog."""
    started = [graph.start("wm_planner", "command_watchdog", domain_id=domain_id)]
    started.append(
        graph.start(
            "wm_sim",
            "bridge",
            *parameters("real_time_factor:=1.0", "episodes:=0", "wait_for_driver:=60.0"),
            domain_id=domain_id,
        )
    )
    started.append(
        graph.start(
            "wm_planner",
            "planner",
            # On a busy machine too every search is whole and no gap between two images brakes.
            *parameters(
                f"bundle:={bundle}",
                "autostart:=true",
                "candidates:=16",
                "deadline_frames:=0",
                "deadline_ms:=2000.0",
                "image_timeout_s:=5.0",
            ),
            domain_id=domain_id,
        )
    )
    return started


def allowed(address: str) -> tuple[str, str]:
    return address, address.replace("http://", "ws://")


def wait_for_mode(page, *modes: str) -> None:
    page.wait_for_function(
        "modes => modes.includes(document.getElementById('mode').dataset.mode)", arg=list(modes), timeout=BROWSER_MS
    )


def drawn(page, canvas: str) -> str:
    """What a canvas shows; the same text for the same picture."""
    return page.evaluate("id => document.getElementById(id).toDataURL()", canvas)


def wait_until_drawn(page, canvas: str) -> None:
    """Wait until a canvas has pixels of more than one colour."""
    page.wait_for_function(
        """id => {
            const canvas = document.getElementById(id);
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
            copy.drawImage(canvas, 0, 0);
            const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
            return new Set(new Uint32Array(data.buffer)).size > 2;
        }""",
        arg=canvas,
        timeout=BROWSER_MS,
    )


def test_a_drive_is_seen_as_it_happens_and_its_end_too(bundle, browser):  # noqa: F811
    domain_id = graph.fresh_domain_id()
    view, address = start_view(domain_id)
    processes = [view]
    try:
        with visit(browser, address, size=PHONE, allowed=allowed(address)) as phone:
            wait_for_mode(phone.page, "waiting")
            processes += start_drive(domain_id, bundle)
            wait_for_mode(phone.page, "driving")
            for canvas in ("camera", "future", "returns-chart", "command-chart", "latency-chart", "surprise-chart"):
                wait_until_drawn(phone.page, canvas)
            before = drawn(phone.page, "camera")
            phone.page.wait_for_function(
                "before => document.getElementById('camera').toDataURL() !== before", arg=before, timeout=BROWSER_MS
            )
            check_figures(phone.page)
            assert phone.overflow_px() <= 0
            processes[-1].kill()  # the planner
            # The command watchdog goes on braking what may still move; an untrained planner may have braked last.
            wait_for_mode(phone.page, "stale", "braking")
            reason = phone.page.locator("#mode-reason").inner_text()
            assert "the planner has sent nothing for" in reason or "(command watchdog)" in reason
            for card in ("latency", "imagined"):
                phone.page.wait_for_function(
                    "id => document.getElementById(id).classList.contains('stale')", arg=f"{card}-card"
                )
            assert phone.faults == []
            view.kill()
            phone.page.wait_for_function("() => document.getElementById('link').hasAttribute('data-lost')")
        assert "Traceback" not in view.output()
    finally:
        for process in reversed(processes):
            process.__exit__()


def check_figures(page) -> None:
    said = {
        "mode-word": "Driving",
        "bundle": "tiny-test",
        "search": r"16 × 5, 2 iterations",
        "scored": "16",
        "deadline": "2000",
        "latency": r"\d+",
        **dict.fromkeys(("best", "mean", "surprise", "steer", "score", "speed"), r"-?\d+.*"),
    }
    for figure, pattern in said.items():
        page.wait_for_function(
            "([id, pattern]) => new RegExp(`^${pattern}$`).test(document.getElementById(id).textContent)",
            arg=[figure, pattern],
            timeout=BROWSER_MS,
        )
    unnamed = "[...document.querySelectorAll('canvas')].filter(c => !c.getAttribute('aria-label')).length"
    assert page.evaluate(unnamed) == 0


def test_it_listens_only_while_a_browser_looks(bundle, browser):  # noqa: F811
    domain_id = graph.fresh_domain_id()
    view, address = start_view(domain_id)
    with view, graph.rclpy_context(domain_id) as context:
        node = rclpy.create_node("counter", context=context)
        processes = start_drive(domain_id, bundle)
        try:
            wait_for(lambda: node.count_publishers(IMAGINED) == 1)
            assert node.count_subscribers(IMAGINED) == 0
            with visit(browser, address, allowed=allowed(address)) as page:
                wait_for_mode(page.page, "driving")
                wait_for(lambda: node.count_subscribers(IMAGINED) == 1 and node.count_subscribers(CAMERA) == 2)
            wait_for(lambda: node.count_subscribers(IMAGINED) == 0 and node.count_subscribers(CAMERA) == 1)
        finally:
            node.destroy_node()
            for process in reversed(processes):
                process.__exit__()


def wait_for(condition) -> None:
    deadline_s = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


@pytest.mark.parametrize(
    "given, said",
    [
        ("port:=70000", "parameter port: expected 0 to 65535, found 70000"),
        ("port:=abc", "port"),
        ("address:=everywhere", "parameter address: expected an IP address, found 'everywhere'"),
        ("image_transport:=smoke", "expected one of raw, compressed"),
        ("prot:=1", "unknown parameter prot; did you mean port?"),
    ],
)
def test_a_bad_parameter_gets_one_message(given, said):
    with graph.start("wm_planner", "live_view", *parameters(given), domain_id=graph.fresh_domain_id()) as process:
        assert process.wait(START_S) == 2
        assert said in process.output() and "Traceback" not in process.output()


def test_a_taken_port_gets_one_message_and_an_open_address_a_warning():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with graph.start(
            "wm_planner", "live_view", *parameters(f"port:={port}"), domain_id=graph.fresh_domain_id()
        ) as process:
            assert process.wait(START_S) == 2
            assert f"cannot listen on 127.0.0.1 port {port}" in process.output()
            assert "Traceback" not in process.output()
    with graph.start(
        "wm_planner", "live_view", *parameters("port:=0", "address:=0.0.0.0"), domain_id=graph.fresh_domain_id()
    ) as process:
        process.wait_for_output("anyone who can reach 0.0.0.0 can watch", START_S)
        assert process.stop() == 0


def launch(*arguments: str) -> graph.GraphProcess:
    command = [shutil.which("ros2"), "launch", "wm_planner", *arguments]
    return graph.GraphProcess(command, domain_id=graph.fresh_domain_id())


def test_a_view_that_crashes_does_not_end_the_drive(bundle):
    # Three episodes of two seconds: the view may be up late.
    with launch(
        "carla_sim.launch.py",
        f"bundle:={bundle}",
        "episodes:=3",
        "seed:=7",
        "real_time_factor:=0",
        "view:=web",
        "view_port:=0",
    ) as process:
        address_in(process)
        pid = re.search(r"\[live_view-\d\]: process started with pid \[(\d+)\]", process.output()).group(1)
        os.kill(int(pid), signal.SIGKILL)
        assert process.wait(90) == 0, process.output()
        output = process.output()
    assert "the live view has ended with exit code -9; the drive continues without it" in output
    assert "episode 1: seed 7," in output and "Traceback" not in output


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("view:=window",), "window"),
        (("view:=web", "view_port:=70000"), "view_port:=70000: expected a number from 0 to 65535"),
        (("view:=web", "view_port:=x"), "view_port:=x: expected a number"),
    ],
)
def test_bad_arguments_get_one_message_and_nothing_starts(arguments, said):
    with launch("carla_sim.launch.py", *arguments) as process:
        assert process.wait(START_S) not in (0, None)
        output = process.output()
    assert said in output and "process started" not in output and "Traceback" not in output

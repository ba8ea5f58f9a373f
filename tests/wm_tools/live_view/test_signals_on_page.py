"""The page shows each imagined signal beside what was observed, in a real browser."""

import threading

import numpy as np
from browser import browser, visit  # noqa: F401
from wm_tools.live_view.expectations import ImaginedSignals
from wm_tools.live_view.pictures import Imagined
from wm_tools.live_view.server import ViewServer
from wm_tools.live_view.state import LiveState

PERIOD_S, HORIZON = 0.1, 4
CARD = "#signals .card:nth-of-type({})"


def imagined(tick: int) -> Imagined:
    """Speed rises by 1 m/s in a tick and is imagined 0.5 m/s too high; the yaw rate stays as it is."""
    steps = np.arange(1.0 + HORIZON)
    speed = tick + steps + 0.5 * (steps > 0)
    values = np.stack([speed, np.full(1 + HORIZON, -0.25)], axis=1)
    stamp_ns = int(tick * PERIOD_S * 1e9)
    signals = ImaginedSignals(stamp_ns, PERIOD_S, 0, ("speed", "yaw_rate"), ("m/s", "rad/s"), values)
    strip = np.full((8, 8 * HORIZON, 3), 100, np.uint8)
    return Imagined(np.ones(8, np.float32), 0, strip, HORIZON, PERIOD_S, signals)


def test_signals_have_a_card_each_with_their_errors(browser):  # noqa: F811
    state = LiveState("ego_vehicle")
    server = ViewServer(state, "127.0.0.1", 0)
    address, ended = f"http://127.0.0.1:{server.start()}/", threading.Event()

    def drive() -> None:
        tick = 0
        while not ended.wait(0.15):
            tick += 1
            state.take_imagined(lambda tick=tick: imagined(tick))

    driver = threading.Thread(target=drive)
    driver.start()
    try:
        with visit(browser, address, allowed=(address, address.replace("http", "ws", 1))) as visited:
            page = visited.page
            page.wait_for_function("() => document.querySelector('#signals .error')?.textContent.startsWith('0.50')")
            assert page.locator(CARD.format(1) + " h2").inner_text() == "speed [m/s]"
            assert page.locator(CARD.format(1) + " .error").inner_text() == "0.50 m/s"
            held = float(page.locator(CARD.format(1) + " .held").inner_text().split()[0])
            assert 2.0 <= held <= 4.0  # it rose by that much since it was imagined
            assert page.locator(CARD.format(2) + " h2").inner_text() == "yaw rate [rad/s]"
            assert page.locator(CARD.format(2) + " .error").inner_text() == "0.00 rad/s"
            assert "s before" in page.locator(CARD.format(1) + " .ahead").inner_text()
            assert visited.faults == []
    finally:
        ended.set()
        driver.join()
        server.stop()

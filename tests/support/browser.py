"""A headless Chromium for tests of pages: what a reader would see, and what a page must not do.

A test module imports the fixture: ``from browser import browser  # noqa: F401``, or a conftest.py does.
``python tests/support/browser.py PAGE.html PICTURE.png`` takes a picture of a page's beginning, for the documentation.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
PHONE = (360, 740)
DESK = (1280, 900)
DEADLINE_MS = 60_000  # of every wait; a busy machine is slow
# Root has no sandbox of its own in a container; the pages are our own. And the browser shall look up no names: its
# pages need none, and what it wants for itself (updates, lists, measurements) is nobody's business.
FLAGS = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost")
LOCAL = ("file:", "data:", "blob:")


@pytest.fixture(scope="module")  # not for longer: while it lives, nothing else may run an event loop in this thread
def browser():
    """One Chromium for all tests of a module. Skips where there is none, or no playwright."""
    pytest.importorskip("playwright.sync_api", reason="needs playwright, see requirements/test.txt")
    executable = find_executable()
    if executable is None:
        pytest.skip(f"needs one of {', '.join(EXECUTABLES)} on PATH")
    with launched(executable) as chromium:
        yield chromium


def find_executable() -> str | None:
    """The Chromium of this machine, None without one."""
    return next(filter(None, map(shutil.which, EXECUTABLES)), None)


@contextmanager
def launched(executable: str) -> Iterator:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield chromium
        chromium.close()


class Visit:
    """An open page. ``page`` is playwright's; ``faults`` collects what a good page never does."""

    def __init__(self, page, allowed: Sequence[str]):
        self.page, self.faults = page, []
        page.set_default_timeout(DEADLINE_MS)
        page.on("console", lambda said: said.type in ("error", "warning") and self.faults.append(said.text))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", lambda request: self._judge(request.url, allowed))

    def _judge(self, url: str, allowed: Sequence[str]) -> None:
        if not url.startswith((*LOCAL, *allowed)):
            self.faults.append(f"asked for {url[:200]}")

    def settle(self) -> None:
        """Wait until every chart that is not folded away is drawn."""
        self.page.wait_for_function(
            "[...document.querySelectorAll('.chart')].every(c => !c.checkVisibility() || c.dataset.state !== 'waiting')"
        )

    def unfold(self) -> None:
        """Open all that is folded, and wait for its charts."""
        self.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        self.settle()

    def charts(self) -> int:
        """Plots that plotly has drawn."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.js-plotly-plot')].filter(p => p.querySelector('svg.main-svg')).length"
        )

    def overflow_px(self) -> int:
        """By how much the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@contextmanager
def visit(
    chromium,
    place: str | Path,
    *,
    size: tuple[int, int] = DESK,
    dark: bool = False,
    touch: bool = False,
    allowed: Sequence[str] = (),
) -> Iterator[Visit]:
    """Open a file, or an address, in a window of ``size`` [px]. ``allowed`` are beginnings of addresses that the page
    may ask for, such as http://127.0.0.1:8080/ and ws://127.0.0.1:8080/; a file may ask for none."""
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        has_touch=touch,
        is_mobile=touch,
    )
    try:
        opened = Visit(context.new_page(), allowed)
        opened.page.on("websocket", lambda socket: opened._judge(socket.url, allowed))
        address = place if isinstance(place, str) and "://" in place else Path(place).resolve().as_uri()
        opened.page.goto(address, timeout=DEADLINE_MS)
        opened.settle()
        yield opened
    finally:
        context.close()


def check_report(chromium, file: Path, charts: int) -> None:
    """Assert what holds of every report: it opens from disk without a fault and without network, ``charts`` plots are
    there, a click opens a definition, and no phone scrolls it sideways."""
    with visit(chromium, file) as desk:
        desk.unfold()
        assert desk.faults == []
        assert desk.charts() == charts
        assert desk.page.locator(".chart[data-state=failed]").count() == 0
        button = desk.page.locator("button.what:visible").first
        if charts or button.count():
            button.click()
            dialog = desk.page.locator("dialog#definition")
            assert dialog.is_visible() and dialog.locator("p").inner_text().strip()
            desk.page.keyboard.press("Escape")
            assert not dialog.is_visible()
        assert desk.faults == []
    with visit(chromium, file, size=PHONE, touch=True, dark=True) as phone:
        phone.unfold()
        assert phone.overflow_px() <= 0
        assert phone.charts() == charts
        assert phone.faults == []


def take_picture(page: str, picture: str) -> None:
    """The beginning of a page as a PNG file."""
    with launched(find_executable()) as chromium, visit(chromium, page, size=(1200, 1560)) as opened:
        opened.page.screenshot(path=picture)


if __name__ == "__main__":
    take_picture(*sys.argv[1:])

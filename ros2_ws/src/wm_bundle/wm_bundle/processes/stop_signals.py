"""How a process ends by a signal: at once as by Ctrl-C, in an orderly way, or after a call that must finish."""

import contextlib
import signal
from collections.abc import Callable, Iterator


class Stopped(KeyboardInterrupt):
    """A signal: handled like Python's Ctrl-C, so that no process and no half-written file remains."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


def quiet_while_loading() -> None:
    """Let Ctrl-C end the process silently while its modules load: there is nothing to clean up yet, and Python would
    print a traceback. A background job may ignore the signal."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_when_stopped() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise ``Stopped``, except ignored ones, as by `nohup`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


_held: list[int] | None = None  # pending signals, None while not held


def _raise(number: int, _frame) -> None:
    if _held is None:
        raise Stopped(number)
    _held.append(number)


@contextlib.contextmanager
def hold_signals() -> Iterator[None]:
    """Within the block a signal raises nothing; ``Stopped`` is raised at its end. For short calls of rclpy, which
    converts messages in C++, where the exception would turn into another one."""
    global _held
    _held = []
    try:
        yield
    finally:
        waiting, _held = _held, None
        if waiting:
            raise Stopped(waiting[0])


def note_stop_signals(then: Callable[[], None] = lambda: None) -> list[int]:
    """From now on SIGINT, SIGTERM and SIGHUP (the terminal or the connection was closed; not if ignored, as by `nohup`)
    only add their number to the returned list, and call ``then``: the running code checks the list, and ends in an
    orderly way."""
    noted: list[int] = []

    def note(number: int, _frame) -> None:
        noted.append(number)
        then()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    return noted


@contextlib.contextmanager
def asked_to_stop(request: Callable[[], None]) -> Iterator[None]:
    """Within the block SIGINT and SIGTERM only call ``request``: the loop ends in an orderly way."""
    previous = {
        number: signal.signal(number, lambda received, frame: request()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

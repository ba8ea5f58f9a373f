"""How a process ends by a signal: at once as by Ctrl-C, in its own order, or after a call that must be finished."""

import contextlib
import signal
from collections.abc import Callable, Iterator


class Stopped(KeyboardInterrupt):
    """A signal: leaves like Python's Ctrl-C, so that no process and no half-written file is left."""

    def __init__(self, number: int):
        super().__init__()
        self.number = number


def quiet_while_loading() -> None:
    """Let a Ctrl-C end the process silently while its modules are loaded: there is nothing to clean up yet, and Python
    would print a traceback. A background job may ignore the signal."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_when_stopped() -> None:
    """From now on SIGINT, SIGTERM and SIGHUP raise ``Stopped``, but for those that are ignored, as by `nohup`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)


_held: list[int] | None = None  # signals that wait, None where they do not


def _raise(number: int, _frame) -> None:
    if _held is None:
        raise Stopped(number)
    _held.append(number)


@contextlib.contextmanager
def hold_signals() -> Iterator[None]:
    """Within, a signal raises nothing; ``Stopped`` comes at the end. For short calls of rclpy: it makes messages in
    C++, where an exception turns into another one, which is no ``Stopped`` any more."""
    global _held
    _held = []
    try:
        yield
    finally:
        waiting, _held = _held, None
        if waiting:
            raise Stopped(waiting[0])


def note_stop_signals(then: Callable[[], None] = lambda: None) -> list[int]:
    """From now on SIGINT and SIGTERM only add their number to the list returned, and call ``then``: what runs looks at
    it, and ends in its own order."""
    noted: list[int] = []

    def note(number: int, _frame) -> None:
        noted.append(number)
        then()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return noted


@contextlib.contextmanager
def asked_to_stop(request: Callable[[], None]) -> Iterator[None]:
    """Within, SIGINT and SIGTERM call ``request`` and do nothing else: the loop ends in its own order."""
    previous = {
        number: signal.signal(number, lambda received, frame: request()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

"""Whether a simulator that waits for commands waits for this planner's next answer: lock-step is in phase.

Such a simulator takes any command for the answer to its newest tick. One command too many, or one that comes after the
wait, is a credit that it uses up instead of waiting: from then on every answer acts a tick late or more.

Whether it waits shows in what it does without an answer. So an answer is held back while the phase is in doubt. If the
next picture comes meanwhile, nobody waited: the answer is not sent, and that uses up a credit. If none comes for longer
than a tick takes, the simulator waits, and the answer is in phase. A wrong doubt costs a moment of wall time, in which
simulated time stands still.
"""

import time
from collections import deque
from collections.abc import Callable
from statistics import median

from wm_bundle.times import NS_PER_S

# The time without a picture, from the last one on, that shows a waiting simulator: the longer of these two.
_HOLD_S = 0.25  # [s]
_INTERVALS = 1.5  # of the usual time between pictures, which is a tick's or longer
_UNKNOWN_S = 0.5  # until that is known
_LEAST_S = 0.02  # for pictures that came while planning to be handled
_SOONER_S = 0.001  # a picture that came before the last answer was sent; clocks are read to less than this
_LATE = 2  # commands in a row that acted late, before it is believed
MOST_IN_ROW = 2  # answers withheld in a row: the command watchdog allows this many (`wm_bundle/lock_step.py`)
_MOST = 8  # answers withheld before giving up
_VAIN = 3  # doubts in a row that a hold did not confirm, although commands act late
_LONGEST_PAUSE, _CALM = 1024, 50  # answers


class Phase:
    """Says which answers to hold back. Call ``picture``, ``hold_s``, and ``sent`` or ``withheld``, for each picture.

    A doubt that is settled is followed by a pause of so many answers, twice as many each time, so that a simulator
    whose commands are late by themselves is not held up.
    """

    def __init__(
        self, period_s: float, answer_s: float, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ):
        """``period_s``: control period; ``answer_s``: the simulator waits for longer than this."""
        self._period_ns = period_s * NS_PER_S
        self._answer_s = answer_s
        self._log = log
        self._clock = clock
        self._doubt = ""  # why
        self._late = self._delay = 0  # commands in a row, and how late the last one was [ticks]
        self._withheld = self._in_row = self._vain = 0
        self._answers = self._pause = 0  # since the last doubt was settled
        self._intervals_s: deque[float] = deque(maxlen=9)  # between the last pictures
        self._last_ns: int | None = None
        self._received_s: float | None = None
        self._sent_s: float | None = None

    def picture(self, stamp_ns: int, received_s: float, delay: int | None) -> None:
        """A picture was decided on. ``delay`` [periods] of a command, if its status showed one."""
        last_ns, self._last_ns = self._last_ns, stamp_ns
        if self._received_s is not None:
            self._intervals_s.append(received_s - self._received_s)
        self._received_s = received_s
        if delay == 0:
            self._vain = 0
            self._settle()
        elif delay is not None:
            self._late, self._delay = self._late + 1, delay
        if last_ns is None:
            self._doubt = "the first picture"
        elif not 0 < stamp_ns - last_ns < 1.5 * self._period_ns:
            self._doubt = "the stamps of pictures jumped, so ticks passed without an answer"
        elif self._sent_s is not None and received_s < self._sent_s - _SOONER_S:
            self._doubt = "a picture came before the one before it was answered"
        elif self._late >= _LATE:
            self._doubt = f"commands act {self._delay} {'tick' if self._delay == 1 else 'ticks'} late"

    def hold_s(self) -> float:
        """How long the answer to the last picture must be held back; 0: not at all."""
        now_s = self._clock()
        if now_s - self._received_s > self._answer_s:
            self._doubt = "the answer is later than the simulator waits"
        if not self._doubt or self._answers < self._pause or self._in_row >= MOST_IN_ROW:
            return 0.0
        usual_s = self._intervals_s
        shown_s = max(_HOLD_S, _INTERVALS * median(usual_s)) if usual_s else _UNKNOWN_S
        return max(self._received_s + min(shown_s, self._answer_s) - now_s, _LEAST_S)

    def sent(self, held: bool) -> bool:
        """The answer is about to be sent, after it was ``held`` back in vain; returns whether the phase was found
        again: delays measured before hold no longer."""
        self._sent_s = self._clock()
        self._in_row = 0
        self._answers += 1
        if not self._doubt and self._answers > self._pause + _CALM:
            self._pause = 0
        found = held and self._withheld > 0
        if held:
            self._vain += self._late >= _LATE and not found
            if self._late >= _LATE and self._vain == _VAIN:
                why = "its ticks may take longer than its wait"
                self._log(f"{self._doubt} though the simulator seems to wait ({why}): driving on with this delay")
            self._settle()
        return found

    def withheld(self) -> None:
        """The answer was not sent: the next picture has come."""
        self._sent_s = None
        self._in_row += 1
        self._withheld += 1
        if self._withheld == 1:
            self._log(f"lock-step is out of phase ({self._doubt}): answers are withheld until the simulator waits")
        if self._withheld == _MOST:
            self._log(f"the simulator did not wait for {_MOST} answers: driving on out of phase")
            self._withheld, self._pause = 0, _LONGEST_PAUSE
            self._settle()

    def _settle(self) -> None:
        if self._withheld:
            self._log(f"lock-step is in phase again; answers withheld: {self._withheld}")
        if self._doubt and self._answers >= self._pause:
            self._pause = min(max(2 * self._pause, 2), _LONGEST_PAUSE)
            self._answers = 0
        self._doubt = ""
        self._late = self._withheld = 0

"""The answer to every picture: sent at once or, in lock-step, when the simulator waits for it."""

from collections.abc import Callable

from wm_bundle.pictures.frames import Frame

from wm_planner.pilot.decision import Decision
from wm_planner.pilot.phase import Phase
from wm_planner.pilot.pilot import Pilot


class Answers:
    """One answer to a picture at most, and never to one older than the newest that was received."""

    def __init__(
        self,
        pilot: Pilot,
        phase: Phase | None,
        send: Callable[[Decision, Frame], None],
        hold: Callable[[float, Callable[[], None]], None],
    ):
        """``phase``: None if the simulator does not wait; ``hold`` calls a function in so many seconds, unless a
        picture comes before."""
        self._pilot = pilot
        self._phase = phase
        self._send = send
        self._hold = hold
        self._held: tuple[Decision, Frame] | None = None

    def decide(self, frame: Frame) -> None:
        """Decide a frame, and send the answer or hold it back."""
        if self._held is not None:
            self._held = None
            self._pilot.withhold()
            self._phase.withheld()
        decision = self._pilot.decide(frame)
        hold_s = 0.0
        if self._phase is not None and not decision.fatal:
            self._phase.picture(frame.stamp_ns, frame.received_s, self._pilot.in_flight.take_measured())
            hold_s = self._phase.hold_s()
        if hold_s > 0.0:
            self._held = decision, frame
            self._hold(hold_s, self._held_long_enough)
        else:
            self._give(decision, frame, held=False)

    def _held_long_enough(self) -> None:
        if self._held is not None:
            (decision, frame), self._held = self._held, None
            self._give(decision, frame, held=True)

    def _give(self, decision: Decision, frame: Frame, held: bool) -> None:
        if self._phase is not None and self._phase.sent(held):
            self._pilot.in_flight.forget()
        self._send(decision, frame)

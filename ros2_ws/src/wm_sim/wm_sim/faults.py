"""What can go wrong with a CARLA server, on order at given ticks of the car."""

import re

STALL, RELOAD, DESTROY = "stall", "reload", "destroy"
_FORM = re.compile(rf"(?:{STALL}:(\d+(?:\.\d+)?)|({RELOAD}|{DESTROY}))@([1-9]\d*)", re.ASCII)


class Faults:
    """Stalls, and at most one end of the drive: a reload of the map, after which no tick comes, or the car's end, after
    which the world ticks on without one. Ticks of the car count from 1; a fault happens just before its tick."""

    def __init__(self, text: str):
        """``text``: such as "stall:2.0@100 reload@300", times in seconds of wall time; ValueError if it is not."""
        self.text = text
        self._stalls: dict[int, float] = {}
        self._ends: dict[int, str] = {}
        for word in text.split():
            form = _FORM.fullmatch(word)
            if not form:
                raise ValueError(f"expected {STALL}:SECONDS@TICK, {RELOAD}@TICK or {DESTROY}@TICK, found '{word}'")
            if form[1]:
                self._stalls[int(form[3])] = float(form[1])
            else:
                self._ends[int(form[3])] = form[2]
        if len(self._ends) > 1:
            raise ValueError(f"expected one {RELOAD} or {DESTROY}, found '{text}'")

    def stall_s(self, tick: int) -> float:
        """How long the server stalls before this tick [s]."""
        return self._stalls.get(tick, 0.0)

    def ends(self, tick: int) -> bool:
        """Whether the drive ends before this tick."""
        return tick in self._ends

    @property
    def destroys(self) -> bool:
        """Whether it ends with the car, not with the map."""
        return DESTROY in self._ends.values()

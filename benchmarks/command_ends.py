"""The simulator and the planner as children of ``command_way``, which note when a picture's command passes where.

``python -m benchmarks.command_ends ROLE FILE SLOWER --ros-args …``: marks [ns of the monotonic clock, which all
processes share] by the picture's stamp go into FILE at the end. The planner's imagination takes SLOWER times as long.
"""

import gc
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from wm_bundle.files import write_json
from wm_bundle.times import ns_of

_now = time.monotonic_ns
_marks: dict[int, dict[str, int]] = defaultdict(dict)  # by stamp, then by name


def _around(owner, name: str, before: Callable = lambda *_: None, after: Callable = lambda *_: None) -> None:
    """Call ``before`` with a function's arguments, and ``after`` once it is done."""
    inner = getattr(owner, name)

    def around(*arguments, **options):
        before(*arguments)
        try:
            return inner(*arguments, **options)
        finally:
            after(*arguments)

    setattr(owner, name, around)


def _waited_ns() -> int:
    """How long this thread was ready to run while its core had other work."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1])


def trace_simulator() -> Callable[[list[str]], int]:
    """From a tick's stamp to its picture, and the command's arrival; returns the simulator's main function."""
    from wm_sim import bridge, commands, messages, sensors

    tick: dict[str, int] = {}

    def begun(_, stamp_ns: int) -> None:
        nonlocal tick
        tick = _marks[stamp_ns]
        tick["stamp"] = _now()

    def arrived(desk, channel, command, stamp_ns: int) -> None:
        if stamp_ns in _marks:
            _marks[stamp_ns].setdefault("arrived", _now())

    _around(commands.CommandDesk, "begin_tick", after=begun)
    _around(sensors.Camera, "_send_picture", before=lambda *_: tick.__setitem__("draw", _now()))
    _around(messages, "image_msg", after=lambda *_: tick.__setitem__("drawn", _now()))
    _around(commands.CommandDesk, "receive", before=arrived)
    return bridge.main


class _PlannerTrace:
    """The marks of the picture that is being answered, and nanoseconds of the parts that are called more than once."""

    def __init__(self, slower: float):
        from wm_planner.engine.engine import Engine
        from wm_planner.node.inputs import Inputs
        from wm_planner.node.outputs import Outputs
        from wm_planner.pilot.cameras import Cameras
        from wm_planner.pilot.pilot import Pilot
        from wm_planner.planning.planner import Planner

        self._frame: dict[str, int] = {}
        self._collecting_ns = 0
        gc.callbacks.append(self._on_collection)
        _around(Inputs, "_on_image", before=self._came)
        _around(Pilot, "decide", before=lambda *_: self._mark("decide"), after=lambda *_: self._mark("decided"))
        _around(
            Outputs, "__init__", after=lambda outputs, *_: _around(outputs._control, "publish", after=self._published)
        )
        parts = {"preprocess": (Cameras, "picture"), "observe": (Planner, "observe"), "plan": (Planner, "plan")}
        for name, (owner, method) in parts.items():
            self._timed(owner, method, name)
        self._timed(Engine, "actor", "actor")
        self._timed(Engine, "imagine", "imagine", slower)

    def _came(self, inputs, camera: int, message, info) -> None:
        to_monotonic_ns = _now() - time.time_ns()
        self._frame = _marks[ns_of(message.header.stamp)]
        self._frame |= {
            "written": info["source_timestamp"] + to_monotonic_ns,
            "received": info["received_timestamp"] + to_monotonic_ns,
            "callback": _now(),
            "waited": -_waited_ns(),
            "collected": 0,
        }

    def _mark(self, name: str) -> None:
        self._frame[name] = _now()

    def _published(self, *_) -> None:
        if "decided" in self._frame and "published" not in self._frame:  # else it answers no picture
            self._mark("published")
            self._frame["waited"] += _waited_ns()

    def _timed(self, owner, method: str, name: str, slower: float = 1.0) -> None:
        inner = getattr(owner, method)

        def timed(*arguments, **options):
            begun_ns = _now()
            result = inner(*arguments, **options)
            end_ns = begun_ns + slower * (_now() - begun_ns)
            while _now() < end_ns:
                pass
            self._frame[name] = self._frame.get(name, 0) + _now() - begun_ns
            return result

        setattr(owner, method, timed)

    def _on_collection(self, phase: str, _) -> None:
        if phase == "start":
            self._collecting_ns = _now()
        elif "published" not in self._frame:
            self._frame["collected"] = self._frame.get("collected", 0) + _now() - self._collecting_ns


def trace_planner(slower: float) -> Callable[[list[str]], int]:
    """From a picture's receipt until its command is published; returns the planner's main function."""
    from wm_planner.node import planner_node

    _PlannerTrace(slower)
    return planner_node.main


def main() -> int:
    """Run one of the two until a signal; returns its exit code."""
    role, file, slower = sys.argv[1:4]
    node = trace_simulator() if role == "simulator" else trace_planner(float(slower))
    try:
        return node([sys.argv[0], *sys.argv[4:]])
    finally:
        write_json(Path(file), {str(stamp_ns): marks for stamp_ns, marks in _marks.items()})


if __name__ == "__main__":
    sys.exit(main())

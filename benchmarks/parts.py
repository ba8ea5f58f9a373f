"""Time of one update by part, forward and backward together, from torch's profiler."""

import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import FlopCounterMode
from wm_training.training.learner import Learner
from wm_training.training.loader import Sample

# Part of the update: its methods of the model.
_METHODS = {
    "encoder": ("encoder.forward",),
    "recurrence": ("rssm.observe", "rssm.imagine_step", "rssm.kl_terms"),
    "decoder": ("decoder.forward", "decoder.squared_errors"),
    "heads": (
        *(f"{head}.{method}" for head in ("reward", "value", "target_value") for method in ("forward", "loss", "mean")),
        "continues.forward",
        "actor.forward",
    ),
}
PARTS = (*_METHODS, "optimiser", "data", "rest")
_RANGE = "part:"
_UPDATE = "whole update"
_BACKWARD = "autograd::engine::evaluate_function"


def flop(learner: Learner, sample: Sample) -> int:
    """Floating-point operations of the products and convolutions of one update, as executed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the counter only sees operations of this thread
    try:
        with FlopCounterMode(display=False) as counter:
            learner.update(sample)
    finally:
        torch.set_num_threads(threads)
    return counter.get_total_flops()


def shares(learner: Learner, sample: Sample, waiting: float) -> dict[str, float]:
    """Share of an update's time for each of PARTS; ``waiting`` is the measured share of waiting for data.

    A step of the backward pass belongs to the part whose forward pass created it: autograd numbers its nodes in the
    order of the forward pass. ``rest`` is everything outside the parts: losses, sums, Python. The profiler slows small
    operations down a little, so the recurrence and the rest look larger than they are.
    """
    with _ranges(learner.objective.model), profile(activities=[ProfilerActivity.CPU]) as profiler:
        with record_function(_UPDATE):
            learner.update(sample)
    update = next(event for event in profiler.events() if event.name == _UPDATE)
    spent = attribute(update)
    total = update.time_range.elapsed_us()
    found = {name: (1.0 - waiting) * spent.get(name, 0.0) / total for name in PARTS if name not in ("data", "rest")}
    return {
        name: round(value, 4)
        for name, value in {**found, "data": waiting, "rest": 1.0 - waiting - sum(found.values())}.items()
    }


def attribute(update: Any) -> dict[str, float]:
    """Microseconds of each part within ``update``, a profiler event around one update with ranges for the parts."""
    events = sorted(update.cpu_children, key=lambda event: event.time_range.start)
    backward = [event for event in events if event.name.startswith(_BACKWARD)]
    first_backward = backward[0].time_range.start
    numbers, owners = _forward_numbers([event for event in events if event.time_range.start < first_backward])
    spent: dict[str, float] = defaultdict(float)
    for event in events:
        if event.name.startswith(_RANGE) and event.time_range.start < first_backward:
            spent[event.name.removeprefix(_RANGE)] += event.time_range.elapsed_us()
    owner = "rest"
    for event in backward:
        number = max((child.sequence_nr for child in _with_children(event)), default=-1)
        if number >= 0:  # accumulating a parameter's gradient has none: it belongs to the previous step
            place = bisect.bisect_right(numbers, number) - 1
            owner = owners[place] if place >= 0 else "rest"
        spent[owner] += event.time_range.elapsed_us()
    spent["optimiser"] += update.time_range.end - backward[-1].time_range.end
    return spent


def _forward_numbers(events: list[Any]) -> tuple[list[int], list[str]]:
    """Autograd's numbers of the forward pass in ascending order, and the part that each belongs to."""
    found = []
    for event in events:
        owner = event.name.removeprefix(_RANGE) if event.name.startswith(_RANGE) else "rest"
        found += [(child.time_range.start, child.sequence_nr, owner) for child in _with_children(event)]
    # The numbers ascend in time. An operation without gradient has the number of the next one with a gradient.
    ordered = [(number, owner) for _, number, owner in sorted(found) if number >= 0]
    return [number for number, _ in ordered], [owner for _, owner in ordered]


def _with_children(event: Any) -> Iterator[Any]:
    yield event
    for child in event.cpu_children:
        yield from _with_children(child)


@contextmanager
def _ranges(model: torch.nn.Module) -> Iterator[None]:
    """Context in which the profiler sees the parts."""
    wrapped = []
    for part, paths in _METHODS.items():
        for path in paths:
            name, _, method = path.rpartition(".")
            module = model.get_submodule(name)
            setattr(module, method, _in_range(getattr(module, method), _RANGE + part))
            wrapped.append((module, method))
    try:
        yield
    finally:
        for module, method in wrapped:
            delattr(module, method)


def _in_range(function: Callable, name: str) -> Callable:
    def within(*arguments, **options):
        with record_function(name):
            return function(*arguments, **options)

    return within

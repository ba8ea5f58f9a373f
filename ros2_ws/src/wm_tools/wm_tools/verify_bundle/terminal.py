"""The tables of a verification, for the terminal."""

from rich import box
from rich.console import Console
from rich.table import Table

from wm_tools.common.console import say
from wm_tools.verify_bundle.verify import Verdict, Verification

_UNITS = {
    "surprise": "nats",
    "picture": "of 255",
    "return": "of the typical",
    "action": "of -1..1",
    "command": "of -1..1",
}
_MEASURED = {"largest": "largest", "p999": "99.9 %", "p99": "99 %"}
_MEANING = {
    "imagine": "{candidates} plans x {horizon} steps",
    "decode": "{horizon} pictures",
    "frame": "observe, actor, {iterations} x imagine, command",
}


def show(console: Console, verification: Verification) -> None:
    """Print both tables and the sentences around them."""
    one, other = verification.manifest.model_id, verification.reference.model_id
    against = "itself" if verification.options.reference is None else other
    precision = " in half precision where TensorRT runs it" if verification.options.fp16 else ""
    say(
        console,
        f"{one} on {verification.provider}{precision} against {against} on the processor; "
        f"{verification.frames} frames, {verification.source}",
    )
    console.print(parity_table(verification))
    console.print(latency_table(verification))
    say(console, f"the same best plan of 64: {100.0 * verification.same_best:.1f} % of frames")


def parity_table(verification: Verification) -> Table:
    """A row for each output."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("difference of", no_wrap=True)
    for name in ("largest", "99.9 %", "99 %", "tolerance"):
        table.add_column(name, justify="right")
    table.add_column("")
    for verdict in verification.verdicts:
        difference = verdict.difference
        unit = _UNITS.get(difference.output)
        table.add_row(
            difference.output + (f" [dim]({unit})[/]" if unit else ""),
            *(f"{value:.2g}" for value in (difference.largest, difference.p999, difference.p99)),
            _limit(verdict),
            "" if verdict.tolerance is None else "holds" if verdict.holds else "[bold red]FAILS[/]",
        )
    return table


def latency_table(verification: Verification) -> Table:
    """A row for each call."""
    options = verification.options
    facts = {
        "candidates": options.candidates,
        "horizon": verification.manifest.horizon,
        "iterations": verification.iterations,
    }
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("time of [dim](ms)[/]", no_wrap=True)
    for name in ("p50", "p99", "max", "calls"):
        table.add_column(name, justify="right")
    table.add_column("", style="dim")
    for latency in verification.latencies:
        times = (latency.p50_ms, latency.p99_ms, latency.max_ms)
        table.add_row(
            latency.call,
            *(f"{value:.2f}" for value in times),
            str(latency.calls),
            _MEANING.get(latency.call, "").format(**facts),
        )
    return table


def _limit(verdict: Verdict) -> str:
    if verdict.tolerance is None:
        return "none"
    return f"{_MEASURED[verdict.difference.measured]} <= {verdict.tolerance:g}"

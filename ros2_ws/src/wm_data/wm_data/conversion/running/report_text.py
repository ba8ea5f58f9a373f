"""The readable report: report.txt next to report.json, and the summary printed by `convert`."""

import io
from datetime import datetime, timezone

from rich.console import Console
from rich.table import Table
from wm_bundle.times import NS_PER_S
from wm_evaluation.wording import counted

_WIDTH = 120
_BARS = " ▁▂▃▄▅▆▇█"


def summary_table(report: dict) -> Table:
    """One line per drive, and the totals."""
    table = Table(title="Converted")
    for name in ("drive", "episodes", "rows", "minutes", "cuts", "skipped", "mean reward"):
        table.add_column(name, justify="left" if name == "drive" else "right", overflow="fold")
    for drive in report["drives"]:
        if drive["error"] is not None:
            table.add_row(drive["name"], "failed")
            continue
        reward = drive["actions"]["mean_reward"]
        cells = [str(drive["episodes"]), str(drive["rows"]), f"{60 * drive['actions']['hours']:.1f}"]
        cells += [str(len(drive["splits"])), str(sum(drive["skipped"].values()))]
        table.add_row(drive["name"], *cells, "" if reward is None else f"{reward:.3f}")
    totals = report["totals"]
    table.add_section()
    what = f"{counted(totals['drives'], 'drive')}, {totals['failed']} failed"
    table.add_row(what, str(totals["episodes"]), str(totals["rows"]), f"{60 * totals['hours']:.1f}")
    return table


def readable(report: dict) -> str:
    text = io.StringIO()
    console = Console(file=text, width=_WIDTH, highlight=False, markup=False, emoji=False)
    console.print(summary_table(report))
    for drive in report["drives"]:
        console.print()
        console.rule(drive["name"], align="left")
        if drive["error"] is not None:
            console.print(f"failed: {drive['error']}")
        for note in drive["notes"]:
            console.print(f"note: {note}")
        if drive["topics"]:
            console.print(_topics(drive))
        if drive["rows"]:
            for name, low, high in (("steer", "-1", "+1"), ("throttle", "0", "1"), ("brake", "0", "1")):
                console.print(f"{name:>9} {low:>2} |{_bars(drive['actions'][name])}| {high}")
        for split in drive["splits"]:
            console.print(f"cut before {_moment(split['stamp_ns'])}: {split['reason']}")
        for reason, count in drive["skipped"].items():
            console.print(f"skipped: {count} x {reason}")
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _topics(drive: dict) -> Table:
    table = Table()
    columns = ("topic", "type", "count", "rate [Hz]", "jitter [ms]", "drops", "longest gap [s]", "skew [ms]")
    for name in columns:
        table.add_column(name, justify="left" if name in ("topic", "type") else "right", overflow="fold")
    for name, topic in drive["topics"].items():
        figures = (topic[key] for key in ("count", "rate_hz", "jitter_ms", "drops", "longest_gap_s"))
        skew = drive["clock_skew_ms"].get(name)
        table.add_row(name, topic["type"], *("" if value is None else str(value) for value in (*figures, skew)))
    return table


def _bars(counts: list[int]) -> str:
    """A histogram in one line; any nonzero count has at least the lowest bar."""
    most = max(counts)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] if count else " " for count in counts)


def _moment(stamp_ns: int) -> str:
    """Seconds, plus the date and time for clocks that count from 1970."""
    seconds = stamp_ns / NS_PER_S
    if stamp_ns < 10**18:
        return f"{seconds:.3f} s"
    return f"{seconds:.3f} s ({datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC)"

"""`ros2 run wm_training augment`: imagined variations of recorded episodes, as episodes."""

import sys
import time
from typing import TYPE_CHECKING, Any

from wm_bundle.processes.stop_signals import asked_to_stop
from wm_evaluation.command_line import DONE, STOPPED, parse, say
from wm_evaluation.terminal import counting_progress

from wm_training.augmentation.augment_options import AugmentOptions
from wm_training.commands.running import run_on_episodes
from wm_training.processes import prepare_process

if TYPE_CHECKING:
    from rich.table import Table

PROGRAM = "augment"
WORDS = {
    "surprise": "surprise of the decoded pictures",
    "disagreement": "disagreement on the reward",
    "value_disagreement": "disagreement on the value",
    "end": "ended by the model",
    "horizon": "up to the horizon",
}


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    prepare_process()
    options = parse(AugmentOptions, PROGRAM, arguments)
    return run_on_episodes(PROGRAM, lambda: _augment(options))


def _augment(options: AugmentOptions) -> int:
    import torch
    from rich.console import Console

    from wm_training import processes
    from wm_training.api.pretrained import load_world_model
    from wm_training.augmentation.runner import MANIFEST, Augmentation

    torch.set_num_threads(options.threads or processes.processor_threads())
    augmentation = Augmentation(load_world_model(options.checkpoint, options.device), options)
    todo = augmentation.begin()
    before = len(augmentation.files) - len(todo)
    say(PROGRAM, f"{len(augmentation.files)} recorded episodes, {before} of them done already")
    console = Console(stderr=True, highlight=False, markup=False)
    stopped: list[bool] = []
    started, rows = time.monotonic(), 0
    with asked_to_stop(lambda: stopped.append(True)):
        calibration = augmentation.calibrate()
        for note in augmentation.notes:
            say(PROGRAM, note)
        limits = ", ".join(f"{name} {limit:.3g}" for name, limit in calibration.limits.items())
        say(PROGRAM, f"limits from {calibration.blocks} recorded blocks ({calibration.split}): {limits}")
        started = time.monotonic()
        with counting_progress("imagining", console) as progress:
            task = progress.add_task("imagining", total=len(augmentation.files), completed=before, note="")

            def on_record(record: dict[str, Any]) -> None:
                nonlocal rows
                rows += sum(drive["imagined_rows"] for drive in record["drives"])
                kept = sum(drive["rows"] for drive in record["drives"])
                progress.update(task, advance=1, note=f"{rows / (time.monotonic() - started):.0f} rows/s")
                if not console.is_terminal:
                    say(PROGRAM, f"{record['source']}: {kept} rows kept")

            finished = augmentation.run(todo, on_record, lambda: bool(stopped))
    if not finished:
        say(PROGRAM, f"stopped; the same command continues in {options.output}")
        return STOPPED
    manifest = augmentation.finish()
    Console(highlight=False).print(summary_table(manifest))
    if not manifest["totals"]["kept_drives"]:
        say(PROGRAM, "no drive was kept: the model knows too little of what it imagines; train it longer")
    pace = f", {rows / (time.monotonic() - started):.0f} rows/s" if rows else ""
    say(PROGRAM, f"wrote {options.output}{pace}; {options.output / MANIFEST} says what was rejected and why")
    return DONE


def summary_table(manifest: dict[str, Any]) -> "Table":
    """What was imagined, kept and rejected."""
    from rich.table import Table

    found = manifest["totals"]
    table = Table(title="Imagined", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name, justify in (("", "left"), ("drives", "right"), ("rows", "right")):
        table.add_column(name, justify=justify)
    table.add_row("imagined", f"{found['drives']:,}", f"{found['rows']:,}")
    table.add_row("kept", f"{found['kept_drives']:,}", f"{found['kept_rows']:,}")
    table.add_row("left out", f"{found['rejected_share']:.1%}", f"{found['left_out_share']:.1%}")
    for title, key in (("rejected", "rejected"), ("cut short", "cut"), ("whole", "ended")):
        for reason, count in found[key].items():
            table.add_row(f"  {title}: {WORDS[reason]}", f"{count:,}")
    if found["too_short"]:
        table.add_row("recorded episodes too short", f"{found['too_short']:,}")
    return table


if __name__ == "__main__":
    sys.exit(main())

"""What a person sees while a model trains."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress:
    """A progress line on a terminal, a plain line every 20 s elsewhere, and a line for every epoch."""

    def __init__(self, total: int, done: int):
        """``total`` and ``done`` updates."""
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("training", total=total, completed=done, note="")
        self.total = total
        self.said_at = time.monotonic()

    def __enter__(self) -> "TrainingProgress":
        self.bar.start()
        return self

    def __exit__(self, *error) -> None:
        self.bar.stop()

    def update(self, step: int, metrics: dict) -> None:
        """Show update ``step``; the metrics are read (a device synchronisation) only when a line is due."""
        note = ""
        due = time.monotonic() - self.said_at > (2.0 if self.console.is_terminal else 20.0)
        if due:
            self.said_at = time.monotonic()
            shown = ("reconstruction", "kl", "reward", "value", "actor")
            note = " ".join(f"{name} {float(metrics[name]):.3g}" for name in shown)
            if not self.console.is_terminal:
                self.console.print(f"update {step}/{self.total}: {note}", highlight=False)
        self.bar.update(self.task, completed=step, **({"note": note} if note else {}))

    def epoch(self, number: int, validation: dict[str, float]) -> None:
        """One line at the end of an epoch."""
        text = " ".join(f"{name} {value:.4g}" for name, value in validation.items())
        self.console.print(f"epoch {number}: validation {text or 'skipped: no validation episodes'}", highlight=False)

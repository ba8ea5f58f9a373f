"""The benchmark scores stored in a bundle, formatted for the terminal, summary.json and the page."""

from typing import NamedTuple

from wm_bundle import Bundle, BundleError, Estimate, OpenLoopScores
from wm_bundle.scores import BenchmarkScores, BundleScores, ControllerScore, read_scores
from wm_evaluation.report import Section, Table
from wm_evaluation.wording import counted, spell_interval

HEADLINE_MODES = ("lock-step", "real-time")  # the first of these that was driven gives the bundle's headline score
MODEL = "planner"


class KnownScores(NamedTuple):
    """``scores`` is None for a bundle without any, or if ``refused`` says why they do not count."""

    scores: BundleScores | None = None
    refused: str = ""

    @classmethod
    def of(cls, bundle: Bundle, map_name: str) -> "KnownScores":
        """The scores in the bundle's folder that were driven on a map of this name."""
        try:
            scores = read_scores(bundle)
            return cls(scores and scores.in_world(map_name))
        except BundleError as error:
            return cls(None, str(error))

    @property
    def headline(self) -> tuple[BenchmarkScores, ControllerScore] | None:
        """The benchmark and score to show first."""
        benchmarks = [self.scores.mode(mode) for mode in HEADLINE_MODES] if self.scores else []
        found = [(entry, score) for entry in benchmarks if entry and (score := entry.of(MODEL))]
        return found[0] if found else None

    @property
    def line(self) -> str:
        """One line, empty if there is nothing to say."""
        if self.refused:
            return f"benchmark of this bundle: not shown, {self.refused}"
        if self.headline is None:
            return ""
        benchmark, score = self.headline
        return f"benchmark of this bundle: {spell_score(score.score)} over {_tracks(benchmark)}, {benchmark.mode}"

    def summary(self) -> dict | None:
        """The headline for summary.json."""
        if self.headline is None:
            return None
        benchmark, score = self.headline
        return {
            "mode": benchmark.mode,
            "date": benchmark.date,
            "tracks": len(benchmark.seeds),
            "max_steps": benchmark.max_steps,
            "mean_score": score.score.value,
            "ci95": [score.score.low, score.score.high],
            "failed": score.failed,
        }

    def section(self) -> Section | None:
        """All benchmarks for the page; None without any."""
        if self.scores is None or not self.scores.benchmarks:
            return None
        tables = [table for benchmark in self.scores.benchmarks for table in _tables(benchmark)]
        return Section(
            "Benchmarks of this bundle", tables, f"{self.line[0].upper()}{self.line[1:]}." if self.line else ""
        )


def spell_score(estimate: Estimate) -> str:
    """`918.2 (95 % 917 to 919)`."""
    known = estimate.low is not None and estimate.high is not None
    return f"{estimate.value:.1f}" + (f" (95 % {spell_interval(estimate.low, estimate.high)})" if known else "")


def spell_estimate(estimate: Estimate, digits: int) -> str:
    """`27.5 (26.0 to 29.0)`, with this many decimals."""
    known = estimate.low is not None and estimate.high is not None
    how = f".{digits}f"
    return f"{estimate.value:{how}}" + (f" ({spell_interval(estimate.low, estimate.high, how)})" if known else "")


def open_loop_table(scores: OpenLoopScores) -> Table:
    """The scorecard of bundle.json, a row for each guess."""
    measures = [("PSNR [dB]", 1, scores.psnr_db), ("reward error", 2, scores.reward_error)]
    measures += [(f"{name.replace('_', ' ')} error", 3, guesses) for name, guesses in scores.vector_error.items()]
    rows = [
        [f"{measure}, {guess.replace('_', ' ')}", *(spell_estimate(figure, digits) for figure in figures)]
        for measure, digits, guesses in measures
        for guess, figures in guesses.items()
    ]
    drives = counted(scores.drives, "validation episode")
    about = f"On {counted(scores.windows, 'window')} of {drives}, from the recorded actions; 95 %."
    return Table(["steps ahead", *map(str, scores.steps)], rows, about)


def _tracks(benchmark: BenchmarkScores) -> str:
    count = len(benchmark.seeds)
    cut = f" of at most {benchmark.max_steps} steps" if benchmark.max_steps else ""
    return f"{counted(count, 'track')}{cut}"


def _tables(benchmark: BenchmarkScores) -> list[Table]:
    first, last = min(benchmark.seeds), max(benchmark.seeds)
    machine = benchmark.machine
    about = (
        f"{benchmark.mode}, {_tracks(benchmark)} (seeds {first} to {last}), {benchmark.date[:10]}, "
        f"{machine.get('cpu', 'unknown processor')}, {machine.get('cores', '?')} cores"
    )
    rows = [
        [entry.controller, spell_score(entry.score), f"{entry.failed} of {entry.episodes}", entry.model or "–"]
        for entry in benchmark.controllers
    ]
    tables = [Table(["controller", "score", "failed", "model"], rows, about)]
    if benchmark.differences:
        rows = [
            [f"{pair.first} minus {pair.second}", spell_estimate(pair.difference, 1), str(pair.tracks)]
            for pair in benchmark.differences
        ]
        tables.append(Table(["controllers", "difference (95 %)", "tracks"], rows, f"{benchmark.mode}, paired by track"))
    return tables

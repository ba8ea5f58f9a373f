"""The end of a replay: its result is compared with an evaluation of the same bag, judged and written."""

import subprocess
import sys
from pathlib import Path

from wm_evaluation.report import write_page

from wm_tools.common.errors import ReplayError
from wm_tools.common.thresholds import judge
from wm_tools.evaluate_bag.evaluate_bag_options import DECIDED
from wm_tools.replay.agreement import compare, read_evaluation
from wm_tools.replay.frames import Arrivals, Moment
from wm_tools.replay.page import build_page
from wm_tools.replay.replay_monitor_options import MonitorOptions
from wm_tools.replay.result import Replay, figures, write
from wm_tools.replay.waiting import Stopped

EXIT_THRESHOLD = 1


class EvaluationFailed(ReplayError):
    """evaluate_bag ended with an error."""


def judge_replay(
    options: MonitorOptions, model_id: str, arrivals: Arrivals, moments: list[Moment], signals: list[int]
) -> int:
    """Compare, write the files, and return the exit code."""
    frames = arrivals.frames(moments)
    answered = sum(frame.command is not None for frame in frames)
    print(f"replay_monitor: {len(frames)} frames, {answered} answered", flush=True)
    folder = options.evaluation or _evaluate(options, signals)
    agreement = compare(frames, read_evaluation(folder / "result.jsonl", model_id))
    replay = Replay(
        str(options.bag),
        model_id,
        options.rate,
        options.config().deadline_ms,
        str(folder),
        frames,
        arrivals.unasked,
        agreement,
    )
    values = figures(replay)
    judged = judge(options.thresholds, values)
    write(options.output, replay, judged)
    write_page(options.output / "report.html", build_page(replay, judged))
    print(
        f"replay_monitor: {values['dropped']:.0f} dropped, camera to command p50 {values['latency_ms.p50']:.1f} ms "
        f"p99 {values['latency_ms.p99']:.1f} ms, {values['deadline_misses']:.0f} deadline misses, "
        f"{100 * values['agreement.share']:.1f} % of the commands as evaluated",
        flush=True,
    )
    print(f"replay_monitor: wrote {options.output / 'replay.json'} and {options.output / 'report.html'}", flush=True)
    for verdict in judged:
        if not verdict.holds:
            print(f"replay_monitor: {verdict.threshold} does not hold: found {verdict.value:g}", file=sys.stderr)
    return 0 if all(verdict.holds for verdict in judged) else EXIT_THRESHOLD


def _evaluate(options: MonitorOptions, signals: list[int]) -> Path:
    """Run evaluate_bag on the same bag for its commands; returns its folder. Raises EvaluationFailed."""
    folder = options.output / "evaluation"
    command = [sys.executable, "-m", "wm_tools.evaluate_bag", *evaluation_words(options, folder)]
    print("replay_monitor: evaluating the bag in one process", flush=True)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while True:
            try:
                _, told = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                if signals:
                    process.terminate()
                    raise Stopped from None
    if process.returncode != 0:
        last = told.strip().splitlines()[-1] if told.strip() else "no output"
        raise EvaluationFailed(f"evaluate_bag ended with exit code {process.returncode}: {last}")
    return folder


def evaluation_words(options: MonitorOptions, folder: Path) -> list[str]:
    """The arguments of evaluate_bag. A bundle that only brakes can be compared too, so its threshold always holds."""
    words = [f"{name}={value}" for name, value in options.parameters if name not in DECIDED]
    return [
        str(options.bag),
        "--bundle",
        str(options.bundle),
        "--output",
        str(folder),
        "--threshold",
        "mode.braking_share<=1",
        *(["--set", *words] if words else []),
        *(["--recover"] if options.recover else []),
    ]

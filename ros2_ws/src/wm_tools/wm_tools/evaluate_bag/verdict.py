"""The verdict of an evaluation in one line: better or worse than the others, fit to drive or not, and why."""

import math
import re
from collections import Counter

from wm_evaluation.scorecard.tables import spell_break_even
from wm_evaluation.wording import counted, spell_duration
from wm_planner.pilot.modes import Mode

from wm_tools.common.thresholds import spell_verdicts
from wm_tools.evaluate_bag.comparison import Comparison, Evaluation
from wm_tools.evaluate_bag.report_tables import deciding, is_known, judge, nearest, signed

_RARELY = 0.05  # share of frames up to which braking raises no doubt
_NAMED = 3  # number of figures that a comparison names
_LENGTH = 100  # characters of a reason for braking


def verdict(comparison: Comparison) -> str:
    """The line, without a final stop: 'NAME: worse than BASELINE in braking (+83.2%); …'."""
    first = comparison.first
    failed = not all(entry.holds for entry in comparison.verdicts)
    parts = [spell_verdicts(comparison.verdicts)] if failed or comparison.options.thresholds else []
    step = nearest(first.settings.steps)
    parts += [
        _against(difference.baseline.name, difference.figures, step, comparison.segments)
        for difference in comparison.differences
    ]
    doubts, facts = _by_itself(first)
    if doubts:
        parts.append(
            f"{'because it' if failed and not comparison.differences else 'doubtful: it'} " + ", ".join(doubts)
        )
    elif not parts:
        parts = ["no fault found: it " + ", ".join(facts)]
    return f"{first.name}: {'; '.join(parts)}"


def spell_driven(comparison: Comparison) -> str:
    """How much was evaluated: '99 frames, 7.9 s of driving'."""
    return f"{counted(comparison.bag['frames'], 'frame')}, {spell_duration(comparison.bag['seconds'])} of driving"


def _against(name: str, figures, step: int, segments: int) -> str:
    rows = [row for row in deciding(step) if is_known(figures.get(row.name))]
    if not any(math.isfinite(figures[row.name].low) for row in rows):
        return (
            f"cannot be distinguished from {name}: no interval from {counted(segments, 'segment')}; evaluate more, or "
            f"lower --segment"
        )
    said = {"better": [], "worse": []}
    for row in rows:
        judged = judge(figures[row.name], row)
        if judged:
            said[judged].append(f"{row.label} ({signed(figures[row.name].value, row.how)})")
    if not any(said.values()):
        return f"no significant difference from {name} in {len(rows)} figures"
    texts = {
        way: f"in {' and '.join(names[:_NAMED])}" + (f" and {len(names) - _NAMED} more" * (len(names) > _NAMED))
        for way, names in said.items()
        if names
    }
    if len(texts) == 2:
        return f"neither better nor worse than {name}: better {texts['better']}, worse {texts['worse']}"
    ((way, text),) = texts.items()
    return f"{way} than {name} {text}"


def _by_itself(evaluation: Evaluation) -> tuple[list[str], list[str]]:
    """Objections to a bundle, and other remarks; each follows the word 'it'."""
    share = evaluation.figures["mode.braking_share"].value
    braked = f"braked in {share:.1%} of the frames"
    doubts, facts = [], [braked]
    if share > _RARELY:
        doubts.append(f"{braked} ({_main_reason(evaluation)})")
    for key, ours, theirs in (
        ("picture_against_copy_last", "imagines pictures", "a copy of the last one"),
        ("return_against_last_seen", "imagines returns", "the last reward, held"),
    ):
        found = evaluation.card and evaluation.card["break_even"][key]
        if found:
            text = f"{ours} {spell_break_even(found, evaluation.settings.horizon, interval=False)} than {theirs}"
            (doubts if found["begins"] is None else facts).append(text)
    return doubts, facts


def _main_reason(evaluation: Evaluation) -> str:
    """The most frequent reason for braking, in its first wording: reasons that differ only in numbers count as one."""
    decided = evaluation.frames.decided
    reasons = decided.reason[decided.mode == Mode.BRAKING].tolist()
    kinds = [re.sub(r"\d[\d.,]*", "0", reason) for reason in reasons]
    ((kind, count),) = Counter(kinds).most_common(1)
    reason = reasons[kinds.index(kind)]
    shortened = reason if len(reason) <= _LENGTH else reason[: _LENGTH - 1] + "…"
    return f"{'all' if count == len(reasons) else f'{count} of {len(reasons)}'}: {shortened}"

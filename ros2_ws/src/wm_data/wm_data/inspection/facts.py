"""The lines of the summary, the same for the terminal and the page."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from wm_evaluation.wording import counted, spell_duration

from wm_data import agreement
from wm_data.agreement import names_of
from wm_data.inspection.survey import EpisodeSummary, Survey
from wm_data.rates import same_rate
from wm_data.rewards import beyond

_VALUES_SHOWN = 6


def overview(survey: Survey) -> list[tuple[str, str]]:
    """(name, value) pairs that describe the dataset. Where episodes differ, there is a value per group."""
    episodes = survey.episodes
    driven = spell_duration(survey.seconds)
    if any(episode.seconds is None for episode in episodes):
        driven += " (without the episodes whose rate is not known)"
    kinds = Counter("compressed" if episode.compressed else "memory-mapped" for episode in episodes)
    lengths = sorted(episode.rows for episode in episodes)
    lines = [
        ("episodes", f"{len(episodes)}" + (f", and {len(survey.unreadable)} unreadable" * bool(survey.unreadable))),
        ("rows", f"{survey.rows:,}"),
        ("driving", driven),
        ("size", f"{sum(episode.bytes for episode in episodes) / 1e6:,.1f} MB, {_groups(kinds)}"),
    ]
    if not episodes:
        return lines
    traits = [episode.traits for episode in episodes]
    labelled = sum(episode.labelled * episode.rows for episode in episodes) / survey.rows
    return [
        *lines,
        ("rows of an episode", f"{lengths[0]} to {lengths[-1]}, half of them up to {lengths[len(lengths) // 2]}"),
        ("splits", _groups(Counter(episode.split for episode in episodes))),
        ("rate", _values(rates(episodes))),
        ("cameras", _values(", ".join(names_of(one.meta.get("cameras"), one.cameras)) for one in traits)),
        ("picture", _values(f"{one.size[1]} x {one.size[0]} px" for one in traits)),
        ("vector", _values(", ".join(names_of(one.meta.get("vector"), one.vector)) or "none" for one in traits)),
        *survey.routes.overview(),
        ("action source", _values(e.action_source for e in episodes)),
        *_imagined(episodes),
        ("reward", _values(str(one.meta.get("reward") or "not told") for one in traits)),
        ("ends", _values(e.ends for e in episodes)),
        ("rows with an expert's action", f"{labelled:.0%}"),
    ]


def problems(
    survey: Survey, rows_needed: int, bin_limit: float = math.inf, discount: float = 0.0
) -> list[tuple[str, str]]:
    """(where, what) of everything to check before training with windows of ``rows_needed`` rows, and with ``bin_limit``
    and the survey's ``discount``."""
    found = [(name, f"cannot be read: {reason}") for name, reason in survey.unreadable]
    found += [(names[0], f"the same as {', '.join(names[1:])}") for names in survey.duplicates]
    traits = [episode.traits for episode in survey.episodes]
    for difference in agreement.differences(traits):
        values = agreement.values(traits, difference.trait)
        groups = Counter(values)
        told = f"episodes differ in {difference.trait}, training refuses them together: {_groups(groups)}"
        found.append((traits[values.index(min(groups, key=groups.get))].whose, told))  # the first of the odd ones
    found += [("the folder", text) for text in agreement.notes(traits)]
    for episode in survey.episodes:
        if episode.imagined and episode.split == "val":
            found.append((episode.name, "imagined, and validates: training refuses it"))
    found += survey.turn_faults.values()
    found += [("the folder", text) for text in survey.routes.problems()]
    found += _large_rewards(survey.episodes, bin_limit, discount)
    short = sum(episode.rows < rows_needed for episode in survey.episodes)
    if short:
        told = f"{counted(short, 'episode')} of fewer than {rows_needed} rows: training skips them"
        found.append(("the folder", told))
    found += [(episode.name, text) for episode in survey.episodes for text in episode.findings]
    return found


def _large_rewards(episodes: list[EpisodeSummary], bin_limit: float, discount: float) -> list[tuple[str, str]]:
    largest = max(episodes, key=lambda episode: max(episode.largest_reward, episode.largest_return), default=None)
    text = largest and beyond(bin_limit, largest.largest_reward, largest.largest_return, discount)
    return [(largest.name, text)] if text else []


def _imagined(episodes: list[EpisodeSummary]) -> list[tuple[str, str]]:
    imagined = [episode for episode in episodes if episode.imagined]
    if not imagined:
        return []
    rows, all_rows = sum(e.rows for e in imagined), sum(e.rows for e in episodes)
    return [("imagined", f"{len(imagined)} of {len(episodes)} episodes, {rows:,} of {all_rows:,} rows")]


def conversion_report(folders: Iterable[Path]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The entries of `convert` in the report.json of ``folders``: (what was skipped, how often) and (failed drive,
    why)."""
    skipped: Counter = Counter()
    failed = []
    for file in (folder / "report.json" for folder in folders):
        try:
            for drive in json.loads(file.read_text(encoding="utf-8"))["drives"]:
                skipped.update({str(reason): int(count) for reason, count in drive.get("skipped", {}).items()})
                if drive.get("error"):
                    failed.append((str(drive["name"]), str(drive["error"])))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            failed.append((file.name, f"cannot be read: {error!r}"))
    return [(reason, f"{count:,}") for reason, count in skipped.most_common()], failed


def encodable(text: str) -> str:
    """The text with '?' for what UTF-8 cannot encode: file names and JSON may contain lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def worst_gap(survey: Survey) -> str:
    if not survey.gaps:
        return "none"
    name, row, seconds = survey.gaps[0]
    return f"{seconds:.3g} s after row {row} of {name}"


def rate(episode: EpisodeSummary) -> str:
    return "not told" if episode.rate_hz is None else f"{episode.rate_hz:g} Hz"


def rates(episodes: list[EpisodeSummary]) -> list[str]:
    """Each episode's rate as text, equal for rates that `train` treats as one."""
    groups: list[list[EpisodeSummary]] = []
    for episode in episodes:
        alike = (group for group in groups if same_rate(episode.rate_hz, group[0].rate_hz))
        group = next(alike, None)
        if group is None:
            groups.append([episode])
        else:
            group.append(episode)
    told = {}
    for group in groups:
        low, high = (of(group, key=lambda episode: episode.rate_hz or 0.0) for of in (min, max))
        words = rate(low) if rate(low) == rate(high) else f"{low.rate_hz:g} to {rate(high)}"
        told.update({id(episode): words for episode in group})
    return [told[id(episode)] for episode in episodes]


def duration(episode: EpisodeSummary) -> str:
    return "–" if episode.seconds is None else f"{episode.seconds:.1f} s"


def _values(values: Iterable[str]) -> str:
    counts = Counter(values)
    return next(iter(counts)) if len(counts) == 1 else _groups(counts)


def _groups(counts: Counter) -> str:
    shown = [f"{value} ({count})" for value, count in counts.most_common(_VALUES_SHOWN)]
    if len(counts) > _VALUES_SHOWN:
        shown.append(f"and {len(counts) - _VALUES_SHOWN} more")
    return "; ".join(shown)

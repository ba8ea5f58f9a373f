"""``benchmark.json``: means over the episodes of a benchmark, with intervals and paired comparisons."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from wm_bundle.lock_step import BRIDGE_WAIT_S, EMBEDDED_WAIT_S
from wm_evaluation.metrics.bootstrap import paired_difference
from wm_evaluation.metrics.errors import percentiles
from wm_evaluation.wording import counted

from wm_tools.benchmark.benchmark_options import LOCK_STEP
from wm_tools.benchmark.disturbance import KINDS
from wm_tools.benchmark.figures import FIGURES
from wm_tools.common.figure import RESAMPLES, interval_of

FORMAT_VERSION = 1
FEW_EPISODES = 10  # below which a bootstrap interval is too narrow
OFTEN = 0.05  # share of frames with a safety brake, above which latencies mean little
AT_SIZES = ("score", "off_track_share", "braking_share")  # figures reported for every size of a disturbance
TIE = 1e-6  # scores that differ by less are the same


def build_summary(settings: dict, episodes: Sequence[dict], machine: dict, planned: int) -> dict:
    """The dictionary that becomes benchmark.json, from the lines of episodes.jsonl; ``planned`` trials in all."""
    undisturbed = [episode for episode in episodes if episode["disturbance"] is None]
    return {
        "format_version": FORMAT_VERSION,
        "settings": settings,
        "maps": sorted({episode["map"] for episode in episodes if episode["map"]}),
        "machine": machine,
        "planned": planned,
        "driven": len(episodes),
        "failed": sum(episode["failure"] is not None for episode in episodes),
        "groups": [_group(some) for some in grouped(undisturbed, "controller", "mode")],
        "comparisons": _comparisons(undisturbed),
        "sweeps": _sweeps(episodes),
        "caveats": _caveats(undisturbed, episodes, planned),
    }


def grouped(episodes: Sequence[dict], *keys: str) -> list[list[dict]]:
    """Episodes grouped by ``keys``, in the order of their first appearance."""
    groups: dict[tuple, list[dict]] = {}
    for episode in episodes:
        groups.setdefault(tuple(str(episode[key]) for key in keys), []).append(episode)
    return list(groups.values())


def name_of(part: dict) -> str:
    """A group, episode or point of a sweep, by who drove and how."""
    return f"{part['controller']}, {part['mode']}"


def driving_of(summary: dict) -> dict[str, dict]:
    """The means of all figures, by the groups' names."""
    return {name_of(group): group["figures"] for group in summary["groups"]}


def _group(episodes: Sequence[dict]) -> dict:
    first = episodes[0]
    latencies = [value for episode in episodes for value in episode["latency_ms"] or ()]
    return {
        "controller": first["controller"],
        "mode": first["mode"],
        "bundle": first["bundle"],
        "policy": first.get("policy"),  # episodes of older benchmarks do not say
        "episodes": len(episodes),
        "failed": sum(episode["failure"] is not None for episode in episodes),
        "ended": dict(Counter(episode["ended"] for episode in episodes)),
        "figures": {figure.name: figure.mean_of(episodes) for figure in FIGURES},
        "latency_ms": {name: _plain(value) for name, value in percentiles(np.array(latencies)).items()}
        if latencies
        else None,
    }


def _comparisons(episodes: Sequence[dict]) -> list[dict]:
    """Every pair of controllers that drove the same tracks, in the same mode; expert and random, which drive in
    lock-step only, are compared there. Failed episodes count with the score they had."""
    return [
        {"mode": first[0]["mode"], "first": first[0]["controller"], "second": second[0]["controller"], **compared}
        for same_mode in grouped(episodes, "mode")
        for first, second in itertools.combinations(grouped(same_mode, "controller"), 2)
        if (compared := _compare(first, second)) is not None
    ]


def _compare(first: Sequence[dict], second: Sequence[dict]) -> dict | None:
    """Score of the first minus that of the second; None if there is no track that both are known to have driven."""
    others = {episode["seed"]: episode["score"] for episode in second if episode["seed"] is not None}
    pairs = [
        (episode["score"], others[episode["seed"]])
        for episode in first
        if episode["score"] is not None and others.get(episode["seed"]) is not None
    ]
    if not pairs:
        return None
    ours, theirs = np.array(pairs).T
    mean, low, high = paired_difference(ours, theirs, RESAMPLES)
    wins, losses = int((ours - theirs > TIE).sum()), int((theirs - ours > TIE).sum())
    return {
        "mean": mean,
        "low": _plain(low),
        "high": _plain(high),
        "n": len(pairs),
        "wins": wins,
        "losses": losses,
        "ties": len(pairs) - wins - losses,
    }


def _sweeps(episodes: Sequence[dict]) -> list[dict]:
    """For every swept disturbance, controller and mode: the score at each size, and without disturbance."""
    found = []
    swept = [{**episode, "kind": episode["disturbance"]["name"]} for episode in episodes if episode["disturbance"]]
    for some in grouped(swept, "kind", "controller", "mode"):
        name, controller, mode = (some[0][key] for key in ("kind", "controller", "mode"))
        kind, sizes = KINDS[name], {}
        for episode in episodes:
            if (episode["controller"], episode["mode"]) == (controller, mode) and not episode["disturbance"]:
                sizes.setdefault(kind.none, []).append(episode)
        for episode in some:
            sizes.setdefault(episode["disturbance"]["size"], []).append(episode)
        found.append(
            {
                "disturbance": name,
                "label": kind.label,
                "unit": kind.unit,
                "none": kind.none,
                "controller": controller,
                "mode": mode,
                "points": [_point(size, sizes[size]) for size in sorted(sizes)],
            }
        )
    return found


def _point(size: float, episodes: Sequence[dict]) -> dict:
    failed = sum(episode["failure"] is not None for episode in episodes)
    figures = {name: interval_of([episode[name] for episode in episodes]) for name in AT_SIZES}
    reasons: Counter[str] = Counter()
    for episode in episodes:
        reasons.update(episode["braking_reasons"] or {})
    return {
        "size": size,
        "episodes": len(episodes),
        "failed": failed,
        **figures,
        "braking_reasons": dict(reasons.most_common()),
    }


def _caveats(undisturbed: Sequence[dict], episodes: Sequence[dict], planned: int) -> list[str]:
    said = []
    if len(episodes) < planned:
        said.append(f"{planned - len(episodes)} of {counted(planned, 'episode')} not driven: continue with --resume.")
    failed = sum(episode["failure"] is not None for episode in episodes)
    if failed:
        said.append(f"{failed} of {counted(len(episodes), 'episode')} failed; each counts up to its failure.")
    fewest = min((len(some) for some in grouped(undisturbed, "controller", "mode")), default=0)
    if fewest < 2:
        said.append("One episode each: no interval can be given, and a difference may be random.")
    elif fewest < FEW_EPISODES:
        said.append(f"Only {fewest} episodes each: bootstrap intervals of fewer than {FEW_EPISODES} are too narrow.")
    slow = sum(episode["slow_steps"] for episode in episodes if episode["mode"] == LOCK_STEP)
    if slow:
        said.append(
            "In lock-step the simulator continues without a command after a timeout "
            f"({EMBEDDED_WAIT_S:g} s for the built-in one, {BRIDGE_WAIT_S:g} s for CARLA's bridge), which "
            f"happened {slow} times: these episodes depend on the load of this machine."
        )
    for some in grouped(undisturbed, "controller", "mode"):
        share = interval_of([episode["braking_share"] for episode in some])["mean"] or 0.0
        if share > OFTEN:
            said.append(
                f"{some[0]['controller']} braked in {share:.0%} of its frames ({some[0]['mode']}): braking is fast, so "
                "its latencies do not represent driving."
            )
    cpus = sorted({episode["cpu"] for episode in episodes if "cpu" in episode})  # older ones do not say
    if len(cpus) > 1:
        said.append(f"Driven by several kinds of processor, which round differently: {'; '.join(cpus)}.")
    if any(episode["seed"] is None for episode in episodes):
        said.append(
            "The simulator has no reset service, so its tracks are not known: controllers are not compared by track."
        )
    if any(episode["score"] is None and episode["failure"] is None for episode in episodes):
        said.append(
            "The simulator sends no step results: there is no score, no driving score, no "
            "progress and no off-track share."
        )
    return said


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

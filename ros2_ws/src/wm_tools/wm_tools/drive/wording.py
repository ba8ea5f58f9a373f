"""How figures are spelled, in the terminal and in the report alike."""

from wm_sim.world_facts import WorldFacts

from wm_tools.drive.records import Episode
from wm_tools.drive.statistics import DriveFigures
from wm_tools.drive.summary import is_timed


def spell_ms(value: float | None) -> str:
    """Milliseconds, or a dash."""
    return "–" if value is None else f"{value:.1f} ms"


def spell_interval(interval: list[float | None]) -> str:
    """`low to high`, or a dash."""
    low, high = interval
    return "–" if low is None or high is None else f"{low:.0f} to {high:.0f}"


def timing_cells(controller: str, figures: DriveFigures) -> list[str]:
    """Latency p50 and p99 [ms] and missed deadlines; dashes for a controller that does not drive in real time."""
    if not is_timed(controller):
        return ["–"] * 3
    latency = figures.latency_ms
    p50, p99 = ("–" if latency[key] is None else f"{latency[key]:.1f}" for key in ("p50", "p99"))
    return [p50, p99, str(figures.deadline_misses)]


def episode_ending(episode: Episode, world: WorldFacts) -> str:
    """How an episode ended in this world of the built-in simulator, in words."""
    return world.ending(episode.steps[-1]) if episode.steps else "no step"

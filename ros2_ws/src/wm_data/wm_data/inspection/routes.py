"""What the route columns of episodes tell: how much is known, where they lead, and what a model can learn of them."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from wm_bundle.routes import distances_among, is_route_input

from wm_data.agreement import names_of
from wm_data.episodes import Episode
from wm_data.inspection.histogram import Histogram

_LOOK_M = 20.0  # the point ahead that shows a turn is the farthest up to here
_TURN_RAD = 0.15  # its direction: 20 m ahead on a circle of 66 m
_FEW_TURNS, _ONE_SIDED, _ENOUGH_TURNS = 0.02, 0.05, 50  # shares, rows
_ON_IT_M = 0.05


@dataclass
class RouteSurvey:
    rows: int = 0
    """Of episodes with columns of a route."""
    any_known: int = 0
    all_known: int = 0
    seen: int = 0
    """Rows whose point ahead is known."""
    left: int = 0
    right: int = 0
    offsets: Histogram = field(default_factory=Histogram)
    squares: float = 0.0
    sources: Counter = field(default_factory=Counter)

    def add(self, episode: Episode) -> None:
        """Count an episode; one without a route's columns is none of these."""
        names = names_of(episode.meta.get("vector"), episode.vector.shape[1])
        columns = {name: np.asarray(episode.vector[:, k]) for k, name in enumerate(names) if is_route_input(name)}
        if not columns:
            return
        known = np.isfinite(np.stack(list(columns.values())))
        self.rows += len(episode)
        self.any_known += int(known.any(axis=0).sum())
        self.all_known += int(known.all(axis=0).sum())
        told = episode.meta.get("route")
        self.sources[str(told.get("source", "not told")) if isinstance(told, dict) else "not told"] += 1
        distances = [d for d in distances_among(columns) if {f"route_{d:g}m_x", f"route_{d:g}m_y"} <= columns.keys()]
        if distances:
            look = max((d for d in distances if d <= _LOOK_M), default=distances[0])
            angles = np.arctan2(columns[f"route_{look:g}m_y"], columns[f"route_{look:g}m_x"])
            self.seen += int(np.isfinite(angles).sum())
            self.left += int((angles > _TURN_RAD).sum())
            self.right += int((angles < -_TURN_RAD).sum())
        if (offsets := columns.get("route_offset")) is not None:
            self.offsets.add(offsets)
            self.squares += float(np.nansum(np.square(offsets, dtype=np.float64)))

    def overview(self) -> list[tuple[str, str]]:
        """(name, value) pairs; none without routes."""
        if not self.rows:
            return []
        told = f"known in {self.any_known / self.rows:.0%} of {self.rows:,} rows, all of it in "
        told += f"{self.all_known / self.rows:.0%}"
        sources = ", ".join(f"{source} ({count})" for source, count in self.sources.most_common())
        lines = [("route", f"{told}; {sources}")]
        if self.seen:
            left, right = self.left / self.seen, self.right / self.seen
            lines.append(("route ahead", f"left {left:.1%}, straight {1.0 - left - right:.1%}, right {right:.1%}"))
        if self.offsets.count:
            low, high = self.offsets.low, self.offsets.high
            lines.append(("beside the route", f"usually {self._usual_offset_m():.2g} m, {low:.3g} to {high:.3g} m"))
        return lines

    def problems(self) -> list[str]:
        """Why a model would learn little or nothing of the routes."""
        if not self.rows:
            return []
        if not self.any_known:
            return ["no row knows its route"]
        found = []
        turns = self.left + self.right
        if self.seen and turns < _FEW_TURNS * self.seen:
            found.append(
                f"the routes lead straight ahead in {1.0 - turns / self.seen:.1%} of the rows: they tell a model "
                f"nothing that it could not guess"
            )
        elif turns >= _ENOUGH_TURNS and min(self.left, self.right) < _ONE_SIDED * turns:
            side = "left" if self.left > self.right else "right"
            found.append(f"{max(self.left, self.right) / turns:.0%} of the routes' turns are to the {side}")
        if self.offsets.count and self._usual_offset_m() < _ON_IT_M:
            found.append(
                f"the vehicle is always on its route, within {self._usual_offset_m():.2g} m: a model cannot learn what "
                f"being beside it means; convert with --route-noise"
            )
        return found

    def _usual_offset_m(self) -> float:
        return float(np.sqrt(self.squares / self.offsets.count))

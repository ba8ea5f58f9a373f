"""From a drive's rows and signals to episodes: where they are cut, each row's action, and its result.

Row t: o_t at its stamp, a_t the mean action from there to the next stamp, r_t its result. A stretch of n + 1 moments is
an episode of n rows: the result of the last moment's action is unknown.
"""

import math
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data import rewards as driving
from wm_data.conversion.assembling import resampling
from wm_data.conversion.assembling.routes import RouteMaker
from wm_data.conversion.assembling.rows import Row, RowChooser
from wm_data.conversion.assembling.vector import VectorColumns
from wm_data.conversion.controls import derived_controls, drives_backwards, held_steer_note, turns_on_the_spot
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive
from wm_data.episodes import Episode
from wm_data.errors import ConversionError

CONVERTER_VERSION = 2  # 2: speeds without a sign, no rows driven backwards, runs by the pictures' order
ACTION_CONVENTION = "steer right positive, throttle, brake; row t acts from t to t+1"


class _Lack(NamedTuple):
    """Why rows are skipped, and an episode is cut before them."""

    left_out: str
    cut: str


class _Actions(NamedTuple):
    """Of n rows."""

    values: np.ndarray
    """(n, 3)."""
    known: np.ndarray
    held: np.ndarray
    """Rows with the previous row's steer, for lack of speed."""


class _Results(NamedTuple):
    """The results of n rows."""

    rewards: np.ndarray
    terms: np.ndarray | None
    """(n, R)."""
    terminated: np.ndarray
    truncated: np.ndarray
    known: np.ndarray


_BACKWARDS = _Lack("row driven backwards, which no action expresses", "the vehicle drives backwards")
_ON_THE_SPOT = _Lack("row that turns on the spot, which no action expresses", "the vehicle turns on the spot")


def episodes_of_drive(drive: Drive, options: ConvertOptions) -> Iterator[Episode]:
    """All episodes of a drive, in order. Skipped rows are counted in ``drive.report``. Raises ConversionError if the
    drive cannot be used at all."""
    tolerance_ns = None if options.tolerance_ms is None else round(options.tolerance_ms * 1e6)
    chooser = RowChooser(drive, options.rate, tolerance_ns)
    build = _EpisodeBuilder(drive, options, chooser)
    waiting: deque[list[Row]] = deque()
    rows: list[Row] = []
    for row in chooser.rows(drive.pictures):
        if row.cut is not None and rows:
            drive.report.split(row.stamp_ns, row.cut)
            waiting.append(rows)
            rows = []
        rows.append(row)
        if len(rows) == options.max_rows + 1:
            waiting.append(rows)
            rows = [row]
        while waiting and chooser.course.is_settled(waiting[0][-1].number):
            yield from build.episodes(waiting.popleft())
    for stretch in (*waiting, rows):
        yield from build.episodes(stretch)
    build.finish()


class _EpisodeBuilder:
    """Builds episodes from stretches of rows without a gap."""

    def __init__(self, drive: Drive, options: ConvertOptions, chooser: RowChooser):
        self._drive = drive
        self._options = options
        self._period_ns = chooser.period_ns
        self._course = chooser.course
        self._seen: set[int] = set()  # cameras that had a picture in some row
        self._ending: Row | None = None  # it ended a stretch, and may begin the next one
        self._max_steer_rad = math.radians(options.max_steer_deg)
        self._columns = VectorColumns(drive, options)
        self._made = 0  # rows of episodes
        self._missing = np.zeros(len(drive.cameras), np.int64)  # pictures of each camera in them
        self._happened = dict.fromkeys(("collision", "lane_invasion"), 0.0)  # in rows of episodes
        self._route = None if options.route == "none" else RouteMaker(drive, options)
        self._derived = self._held = 0  # rows of episodes with derived actions, and of these with held steer

    def finish(self) -> None:
        """Report rows with held steer, cameras that lack pictures, and events such as collisions that are in no row, as
        those while no pictures arrived."""
        if self._route is not None:
            self._route.finish()
        self._columns.note_slow(self._drive)
        if self._held:
            self._drive.report.note(held_steer_note(self._held, self._derived, self._drive.wheelbase_m))
        for camera, missing in zip(self._drive.cameras, self._missing.tolist(), strict=True):
            if missing:
                self._drive.report.note(f"{camera.name} has no picture in {missing} of {self._made} rows")
        for name, told in self._happened.items():
            signal = getattr(self._drive.signals, name)
            recorded = 0.0 if signal is None else float(signal.samples.values.sum())
            self._drive.report.leave_out(f"{name} that is in no row", max(0, round(recorded - told)))

    def episodes(self, rows: list[Row]) -> Iterator[Episode]:
        """Episodes from an uninterrupted stretch, cut where something required is missing and where an episode
        ended."""
        if len(rows) < 2:
            if rows and rows[0] is not self._ending:
                self._drive.report.leave_out("row without a row after it")
            return
        self._ending = rows[-1]
        self._seen |= {k for row in rows for k, picture in enumerate(row.pictures) if picture is not None}
        for k, camera in enumerate(self._drive.cameras):
            if k not in self._seen:
                self._drive.report.leave_out(f"row from before the first picture of {camera.name}", len(rows))
                return
        stamps = np.array([row.stamp_ns for row in rows], np.int64)
        signals = self._course.signals(self._drive.signals, rows[0].number, rows[-1].number)
        self._drive.present = signals
        told = {name: resampling.latest_at(signal, stamps) for name, signal in signals.vector.items()}
        numbers = {name: values[:, 0] for name, (values, _) in told.items()}
        along, yaw_rate = numbers.get(SPEED.name), numbers.get(YAW_RATE.name)
        speed = None if along is None else SPEED.reading(along)
        progress_m = None
        if self._route is not None:
            route, progress_m = self._route.columns(stamps, self._course.places_of([row.number for row in rows]))
            told |= route
        actions, results = self._actions(stamps, along, yaw_rate), self._results(stamps, speed, yaw_rate, progress_m)
        there = {name: known[1:] & known[:-1] for name, known in self._columns.needed(told).items()}
        there = {"control": actions.known, **there, "step_result": results.known}
        needs = {_Lack(f"row without {name}", f"no {name}"): known for name, known in there.items()}
        needs |= self._tellable(along, yaw_rate)
        vector = self._columns.numbers(told, len(stamps))
        for first, end in self._stretches(stamps, results.terminated | results.truncated, needs):
            if end - first < self._options.min_rows:
                self._drive.report.leave_out(f"row of an episode shorter than {self._options.min_rows}", end - first)
                continue
            part = slice(first, end)
            self._derived += end - first
            self._held += int(actions.held[part].sum())
            if self._route is not None:
                self._route.count(self._columns.of_route(vector[part]))
            pictures, mask = self._pictures(rows[first:end])
            last = np.arange(first, end) == end - 1
            for name in self._happened:
                if (events := getattr(signals, name)) is not None:
                    between = resampling.sum_between(events, stamps[first : end + 1])
                    self._happened[name] += float(between.sum())
            yield Episode(
                observations=pictures,
                actions=actions.values[part].astype(np.float32),
                rewards=results.rewards[part],
                dones=last,
                terminals=last & results.terminated[part],
                vector=vector[part],
                expert_actions=self._expert(stamps[part]),
                stamps_ns=stamps[part],
                camera_mask=mask,
                reward_terms=None if results.terms is None else results.terms[part],
                meta=self._meta(results.terms is not None),
            )

    def _actions(self, stamps, speed, yaw_rate) -> _Actions:
        """Between n + 1 moments."""
        if self._drive.present.control is not None:
            actions, known = resampling.mean_over(self._drive.present.control, stamps[:-1], stamps[1:])
            inside = np.clip(actions, [-1.0, 0.0, 0.0], [1.0, 1.0, 1.0])
            outside = int((known & (actions != inside).any(axis=1)).sum())
            self._drive.report.leave_out("action outside its limits, brought back to them", outside)
            return _Actions(inside, known, np.zeros(len(inside), bool))
        if speed is None or yaw_rate is None:
            raise ConversionError(
                f"the recording has no actions, and to derive them its speed and yaw rate are needed: it has "
                f"{'no speed' if speed is None else 'a speed'} and {'no' if yaw_rate is None else 'a'} yaw rate"
            )
        turn, seconds = 0.5 * (yaw_rate[1:] + yaw_rate[:-1]), np.diff(stamps) / NS_PER_S
        ends = speed[:-1], speed[1:]
        actions, held = derived_controls(ends, turn, seconds, self._drive.wheelbase_m, self._max_steer_rad)
        return _Actions(actions, np.ones(len(actions), bool), held)

    def _tellable(self, speed, yaw_rate) -> dict[_Lack, np.ndarray]:
        """Which rows (n,) steer and pedals can express, by the reason if not, see ``_stretches``."""
        if speed is None or self._drive.reverse_told:
            return {}
        forward = {_BACKWARDS: ~drives_backwards(speed[:-1], speed[1:])}
        if yaw_rate is None or self._drive.action_source != "derived":
            return forward
        turning = turns_on_the_spot(speed[:-1], speed[1:], 0.5 * (yaw_rate[1:] + yaw_rate[:-1]))
        return {**forward, _ON_THE_SPOT: ~turning}

    def _results(self, stamps, speed, yaw_rate, progress_m) -> _Results:
        signals = self._drive.present
        count = len(stamps) - 1
        if signals.step is not None:
            steps = resampling.exactly_at(signals.step, stamps[1:])
            judged = np.isfinite(steps).all(axis=1)
            steps = np.nan_to_num(steps)
            return _Results(steps[:, 0].astype(np.float32), None, steps[:, 1] > 0, steps[:, 2] > 0, judged)
        collisions, lanes = (
            None if signal is None else resampling.sum_between(signal, stamps)[:, 0]
            for signal in (signals.collision, signals.lane_invasion)
        )
        seconds, wanted = (stamps - stamps[0]) / NS_PER_S, self._options.target_speed
        progress_m = progress_m if self._options.reward == driving.PROGRESS_NAME else None
        rewards, terms = driving.driving_reward(seconds, speed, yaw_rate, lanes, collisions, wanted, progress_m)
        crashed = np.zeros(count, bool) if collisions is None else collisions > 0
        return _Results(rewards, terms, crashed, np.zeros(count, bool), np.ones(count, bool))

    def _stretches(self, stamps, ended, needs) -> Iterator[tuple[int, int]]:
        """(first, end) of the rows of each episode. ``needs``: which rows (n,) have each required input."""
        usable = np.logical_and.reduce(list(needs.values()))
        first = 0
        count = len(usable)
        while first < count:
            if not usable[first]:
                lack = next(lack for lack, there in needs.items() if not there[first])
                self._drive.report.leave_out(lack.left_out)
                if first and usable[first - 1]:
                    self._drive.report.split(stamps[first], lack.cut)
                first += 1
                continue
            stop = np.flatnonzero(~usable[first:] | ended[first:])
            end = count if not len(stop) else first + int(stop[0]) + int(usable[first + int(stop[0])])
            yield first, end
            # After an end, the next row is only the transition to the new start.
            over = end <= count and bool(ended[end - 1])
            if over and end < count:
                self._drive.report.split(stamps[end], "the episode ended")
                self._drive.report.leave_out("row that leads from an end to a new beginning")
            first = end + over

    def _pictures(self, rows: list[Row]) -> tuple[np.ndarray, np.ndarray | None]:
        """(T, C, H, W), and which cameras have a picture (T, K), None for all."""
        there = np.array([[picture is not None for picture in row.pictures] for row in rows])
        self._made += len(rows)
        self._missing += (~there).sum(axis=0)
        shape = rows[0].pictures[0].shape
        whole = np.zeros((len(rows), len(self._drive.cameras), *shape), np.uint8)
        for t, row in enumerate(rows):
            for k, picture in enumerate(row.pictures):
                if picture is not None:
                    whole[t, k] = picture
        return whole.reshape(len(rows), -1, *shape[1:]), None if there.all() else there

    def _expert(self, stamps: np.ndarray) -> np.ndarray:
        signal = self._drive.present.expert
        if signal is None:
            return np.full((len(stamps), 3), np.nan, np.float32)
        return resampling.exactly_at(signal, stamps).astype(np.float32)

    def _meta(self, computed_reward: bool) -> dict:
        drive, signals = self._drive, self._drive.signals
        meta = {
            "cameras": [camera.meta for camera in drive.cameras],
            "rate_hz": round(NS_PER_S / self._period_ns, 6),
            "vector": self._columns.told,
            "action_convention": ACTION_CONVENTION,
            "action_source": drive.action_source,
            "max_steer_deg": self._options.max_steer_deg,
            "reward": self._options.reward if computed_reward else "step_result",
            "converter_version": CONVERTER_VERSION,
            "drive": drive.report.name,
            **drive.meta,
        }
        if self._route is not None:
            meta["route"] = self._route.meta
        if signals.control is None:
            meta["wheelbase_m"] = drive.wheelbase_m
        if computed_reward:
            meta["reward_terms"] = list(driving.REWARDS[self._options.reward])
            meta["target_speed_mps"] = self._options.target_speed
        return meta

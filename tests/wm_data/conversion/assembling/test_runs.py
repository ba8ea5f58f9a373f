"""Clocks that begin anew, and odd stamps: every row has the numbers of its own run and moment.

A recording is a sequence of runs, each of which begins at a stamp of its own. Whatever is shown or told holds the
number of the moment it is of, so that every row can be checked on its own.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_drive import MS, drive, number_of, options, picture_of, signal
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.drive import Picture, Signal, Signals

PERIOD_MS = 100
SIGNALS = ("control", "speed", "yaw_rate", "step", "expert", "collision", "lane_invasion")


@dataclass
class World:
    """``runs``: (first stamp [ms], pictures). ``odd``: {(source, number of its message): by how much [ms]}."""

    runs: list[tuple[int, int]]
    odd: dict = field(default_factory=dict)
    early_ms: int = 0  # signals are recorded so much before the pictures of the same stamp
    stalled: range = range(0)  # moments whose pictures are recorded together, when the last of them is there
    events: frozenset = frozenset()  # moments at which a line was crossed
    crashes: frozenset = frozenset()

    def moments(self):
        """(number, run, stamp [ms], true time [ms]) of every moment."""
        number, now = 0, 0
        for run, (start, count) in enumerate(self.runs):
            for tick in range(count):
                yield number, run, start + tick * PERIOD_MS, now
                number, now = number + 1, now + PERIOD_MS
            now += 300  # until the simulator is there again

    def messages(self):
        """(source, stamp [ms], values) in the order of recording; a picture's value is its moment."""
        found = []
        for number, _, stamp, now in self.moments():
            told = {
                "control": (number / 1000, 0.5, 0.0),
                "speed": (number / 10,),
                "yaw_rate": (number / 100,),
                "step": (float(number), 0.0, 0.0),
                "expert": (-number / 1000, 0.0, 0.0),
            }
            if number in self.events:
                told["lane_invasion"] = (1.0,)
            if number in self.crashes:
                told["collision"] = (1.0,)
            for place, (name, values) in enumerate(told.items()):
                found.append((now - self.early_ms + place / 100, name, stamp, values))
            if number in self.stalled:
                now += PERIOD_MS * (self.stalled[-1] - number) + number / 1000
            for place, camera in enumerate(("front", "left")):
                found.append((now + 0.5 + place / 100, camera, stamp, number))
        counts = {}
        for _, name, stamp, values in sorted(found, key=lambda one: one[0]):
            counts[name] = counts.get(name, -1) + 1
            yield name, stamp + self.odd.get((name, counts[name]), 0), values

    def drive(self, ahead: bool, without=(), cameras=("front", "left")):
        """As a bag that is read along, or as a table that was read ``ahead``."""
        widths = {"control": 3, "step": 3, "expert": 3}
        made = {
            name: Signal(widths.get(name, 1), "before" if name in ("control", "step") else "after")
            for name in SIGNALS
            if name not in without
        }
        signals = Signals({name: made.pop(name) for name in ("speed", "yaw_rate") if name in made}, **made)
        made = drive([], signals, PERIOD_MS, cameras)
        messages = [message for message in enumerate(self.messages()) if message[1][0] not in without]

        def take(place, name, stamp, values):
            if name in SIGNALS:
                signals.named()[name].add(stamp * MS, *values, place=place)

        def pictures():
            for place, (name, stamp, values) in messages:
                if not ahead:
                    take(place, name, stamp, values)
                if name in cameras:
                    view = made.cameras[cameras.index(name)]
                    load = lambda view=view, shown=values: view.from_rgb(picture_of(shown).transpose(2, 0, 1))  # noqa: E731
                    yield Picture(cameras.index(name), stamp * MS, load, place)

        if ahead:
            for place, message in messages:
                take(place, *message)
        made.pictures = pictures()
        return made


def check(world, episodes, every_ms=PERIOD_MS):
    """Every row: its picture, numbers, expert and results are those of one moment, or of the one after; returns the
    moments that are rows. Where a sample had an odd stamp, its neighbour's value holds."""
    missing = dict(world.odd.keys())
    run_of = {number: run for number, run, _, _ in world.moments()}
    last_of = {run: number for number, run in run_of.items()}
    stamp_of = {number: stamp for number, _, stamp, _ in world.moments()}
    shown = []
    for episode in episodes:
        moments = [number_of(picture[:3]) for picture in episode.observations]
        shown += moments
        assert len({run_of[moment] for moment in moments}) == 1
        step = every_ms // PERIOD_MS
        assert np.diff(moments).tolist() == [step] * (len(moments) - 1)
        assert (episode.stamps_ns // MS).tolist() == [stamp_of[moment] for moment in moments]
        for row, moment in enumerate(moments):
            after = min(moment + step, last_of[run_of[moment]])
            acted = np.mean([number + (missing.get("control") == number) for number in range(moment + 1, after + 1)])
            assert episode.actions[row, 0] == pytest.approx(acted / 1000, abs=1e-6)
            speed, yaw_rate = (moment - (missing.get(name) == moment) for name in ("speed", "yaw_rate"))
            assert episode.vector[row].tolist() == pytest.approx([speed / 10, yaw_rate / 100], abs=1e-5)
            if episode.meta["reward"] == "step_result":
                assert episode.rewards[row] == after
            else:
                names = episode.meta["reward_terms"]
                lane, crash = (episode.reward_terms[row, names.index(name)] for name in ("lane_invasion", "collision"))
                assert lane == -sum(moment < number <= after for number in world.events)
                assert crash == -10 * sum(moment < number <= after for number in world.crashes)
                assert bool(episode.terminals[row]) == (crash < 0)
            expert = episode.expert_actions[row, 0]
            assert np.isnan(expert) or expert == pytest.approx(-moment / 1000, abs=1e-6)
            if episode.observations.shape[1] == 6 and (episode.camera_mask is None or episode.camera_mask[row, 1]):
                assert number_of(episode.observations[row, 3:]) == moment
    assert len(shown) == len(set(shown))
    return shown


RUNS = st.lists(
    st.tuples(st.integers(0, 40).map(lambda tick: tick * PERIOD_MS), st.integers(5, 25)), min_size=1, max_size=4
)


def runs_that_jump_back(runs):
    """Of one whose clock goes on from the run before nobody could tell that it is another."""
    return all(
        after[0] <= before[0] + PERIOD_MS * (before[1] - 3) for before, after in zip(runs, runs[1:], strict=False)
    )


@given(
    runs=RUNS.filter(runs_that_jump_back),
    ahead=st.booleans(),
    early_ms=st.sampled_from([0, 40, -30]),
    steps=st.booleans(),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_every_row_has_the_numbers_of_its_own_run(runs, ahead, early_ms, steps, data):
    count = sum(pictures for _, pictures in runs)
    picked = data.draw(st.lists(st.integers(0, count - 1), max_size=4))
    world = World(runs, early_ms=early_ms, events=frozenset(picked[1:]), crashes=frozenset(picked[:1]))
    made = world.drive(ahead, without=() if steps else ("step",))
    shown = check(world, episodes_of_drive(made, options()))
    lost = count - len(shown)
    assert lost <= 2 * len(runs) + (not steps) * 2  # the last moment of each, where a crash leads on, what is at a cut
    assert len(made.report.splits) >= len(runs) - 1 and not made.report.skipped.keys() - {
        "row that leads from an end to a new beginning",
        "row without a row after it",
        "collision that is in no row",
        "lane_invasion that is in no row",
    }


FAR_MS = st.one_of(st.integers(500, 30_000), st.integers(5, 300).map(lambda count: count * PERIOD_MS))
OFFSETS = st.builds(lambda ms, ahead: ms if ahead else -ms, FAR_MS, st.booleans())


@given(runs=RUNS.filter(runs_that_jump_back), ahead=st.booleans(), steps=st.booleans(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_an_odd_stamp_costs_its_own_row_at_most_and_is_counted(runs, ahead, steps, data):
    name = data.draw(st.sampled_from([*SIGNALS[:5], "front", "left"]))
    # At the edge of a run a stamp is not out of line, only early or late: no row is near it. Of the first two pictures
    # of a short run, the second set back, nothing tells which is the odd one.
    ends = np.cumsum([pictures for _, pictures in runs]).tolist()
    inner = [end - back for end, (_, pictures) in zip(ends, runs, strict=True) for back in range(2, pictures - 1)]
    number = data.draw(st.sampled_from(inner))
    world = World(runs, {(name, number): data.draw(OFFSETS)})
    made = world.drive(ahead, without=() if steps else ("step",))
    shown = check(world, episodes_of_drive(made, options()))
    assert ends[-1] - len(shown) <= 2 * len(runs) + 3
    reasons = [reason for reason in made.report.skipped if reason.startswith(("picture of", name))]
    if steps or name != "step":
        assert [made.report.skipped[reason] for reason in reasons] == [1]


@given(pictures=st.integers(12, 40), ahead=st.booleans(), data=st.data())
@settings(max_examples=30, deadline=None)
def test_an_event_with_an_odd_stamp_counts_where_it_was_recorded(pictures, ahead, data):
    events = data.draw(st.sets(st.integers(1, pictures - 2), min_size=1, max_size=6))
    crash = data.draw(st.integers(1, pictures - 2))
    offset = data.draw(st.integers(2300, 30_000).flatmap(lambda ms: st.sampled_from([ms, -ms])))
    odd = data.draw(st.sampled_from([("collision", 0), ("lane_invasion", 0), ("lane_invasion", len(events) - 1)]))
    world = World([(5000, pictures)], {odd: offset}, events=frozenset(events), crashes=frozenset([crash]))
    made = world.drive(ahead, without=("step",))
    check(world, episodes_of_drive(made, options()))
    told = "whose stamp does not fit the pictures around it, counted where it was recorded"
    assert made.report.skipped[f"{odd[0]} {told}"] == 1


@given(
    runs=st.lists(st.tuples(st.just(0), st.integers(12, 25)), min_size=1, max_size=3),
    rate=st.sampled_from([5.0, 10.0 / 3]),
    ahead=st.booleans(),
    picked=st.sets(st.integers(0, 35), max_size=4),
)
@settings(max_examples=30, deadline=None)
def test_at_a_lower_rate_every_row_has_what_acted_and_happened_until_the_next_one(runs, rate, ahead, picked):
    world = World(runs, events=frozenset(picked))
    made = world.drive(ahead, without=("step",))
    every_ms = round(1000 / rate)
    shown = check(world, episodes_of_drive(made, options(rate=rate)), every_ms)
    periods = every_ms // PERIOD_MS
    assert len(shown) >= sum((pictures - 1) // periods - 1 for _, pictures in runs) - len(runs)


def test_a_clock_that_is_set_back_by_little_more_than_a_period_cuts_too():
    for back in (150, 190, 250, 450):
        world = World([(0, 20), (20 * PERIOD_MS - back, 20)])
        made = world.drive(ahead=False)
        assert len(check(world, episodes_of_drive(made, options()))) >= 36
        assert len(made.report.splits) == 1


@pytest.mark.parametrize("ahead", [True, False])
def test_a_signal_whose_clock_alone_is_set_back_makes_no_rows_of_another_moment(ahead):
    """From the middle on its stamps are 5 s behind those of the pictures of the same time."""
    count = 200
    world = World([(10_000, count)], {("speed", number): -5000 for number in range(count // 2, count)})
    made = world.drive(ahead)
    episodes = list(episodes_of_drive(made, options()))
    for episode in episodes:
        moments = [number_of(picture[:3]) for picture in episode.observations]
        assert episode.vector[:, 0] * 10 == pytest.approx(moments, abs=5.01)  # what was known is held for 0.5 s
    assert 95 <= sum(map(len, episodes)) <= 105
    assert made.report.skipped["speed whose stamp does not fit the pictures around it"] >= 90


@pytest.mark.parametrize("ahead", [True, False])
@pytest.mark.parametrize("steps", [True, False])
def test_pictures_that_come_late_in_one_burst_lose_nothing(ahead, steps):
    """As over a radio link that stood still for 4 s, where the small messages came through."""
    world = World([(0, 120)], stalled=range(40, 80), events=frozenset([30, 45, 60, 78]))
    made = world.drive(ahead, without=() if steps else ("step",))
    assert len(check(world, episodes_of_drive(made, options()))) == 119 and not made.report.skipped


def test_a_clock_that_is_set_ahead_by_years_loses_only_what_leads_there():
    """A recorder's first minutes are of another year; the gap is a cut, and both sides are whole."""
    world = World([(0, 40), (200 * 86_400_000, 40)])
    made = world.drive(ahead=False)
    assert len(check(world, episodes_of_drive(made, options()))) == 78 and made.report.skipped.total() == 0


def test_an_odd_sample_of_a_source_of_one_clock_is_left_out_and_counted():
    """Without an order of recording, as that of a CAN bus in a file of its own."""
    speed = Signal(1)
    for number in range(100):
        speed.add((number * 100 + (40_000 if number == 50 else 0)) * MS, number / 10)
    made = drive(
        [(0, number * 100, number) for number in range(100)],
        Signals({"speed": speed}, control=signal(dict.fromkeys(range(0, 10_000, 100), (0.0, 0.5, 0.0)))),
    )
    (episode,) = episodes_of_drive(made, options())
    expected = [number - (number == 50) for number in range(99)]
    assert episode.vector[:, 0] * 10 == pytest.approx(expected, abs=1e-4)
    assert made.report.skipped == {"speed whose stamp does not fit the pictures around it": 1}

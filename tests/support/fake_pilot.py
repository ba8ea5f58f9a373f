"""A pilot with a fake engine behind it, and frames for it, for tests without ROS and without a model."""

import numpy as np
from wm_bundle.pictures.frames import Frame, RawImage
from wm_planner.config import PlannerConfig
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.decision import BRAKE
from wm_planner.pilot.modes import Mode
from wm_planner.pilot.pilot import Pilot
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.planner import Planner
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers.cem import CEM
from wm_planner.planning.solvers.sampling import SamplingSettings
from wm_planner.planning.tuning import Manner, Tuning

PERIOD_NS = 80_000_000
CAUTIOUS_THROTTLE = 0.1


class FakeGuard:
    """Says of the bundle's files what it is told."""

    found: str | None = None

    def fault(self) -> str | None:
        return self.found


def make_pilot(engine, clock, manifest, **parameters) -> Pilot:
    settings = SamplingSettings(16, manifest.horizon, iterations=2, std=(0.2, 0.2), correlation=0.8, trust=3.0, seed=1)
    scorer = Scorer(1.0, 1.0)
    tuning = Tuning(CEM(settings, 4), Manner(scorer), Manner(scorer, ActionLimits(ceiling=CAUTIOUS_THROTTLE)))
    planner = Planner(engine, tuning, clock=clock)
    guard, lines = FakeGuard(), []
    pilot = Pilot(planner, manifest, PlannerConfig(**parameters), guard, clock=clock, log=lines.append)
    pilot.guard, pilot.lines = guard, lines
    return pilot


def image(stamp_ns: int, value: int, height=8, width=8, encoding="bgra8") -> RawImage:
    data = np.full(height * width * 4, value % 256, np.uint8).tobytes()
    return RawImage(stamp_ns, height, width, encoding, 4 * width, data)


def frame(clock, tick: int, value=None, **changes) -> Frame:
    stamp_ns = tick * PERIOD_NS
    return Frame(stamp_ns, (image(stamp_ns, tick if value is None else value, **changes),), clock())


def drive(pilot, clock, tick: int, speed=5.0, command=(0.0, 0.0, 0.0), **changes):
    """One tick with its status."""
    clock.advance(0.08)
    pilot.take("speed", Sample(tick * PERIOD_NS, speed, command))
    return check(pilot.decide(frame(clock, tick, **changes)))


def check(decision):
    """What holds for every decision."""
    braking = decision.mode is Mode.BRAKING
    assert (decision.plan is None) == braking
    assert bool(decision.reason) == (decision.mode is not Mode.DRIVING)
    assert not braking or (decision.command == BRAKE).all()
    return decision


def assert_brakes(decision, message: str):
    assert decision.mode is Mode.BRAKING and message in decision.reason, decision

"""Where the route leads, and whether the vehicle may drive on along it; without ROS.

docs/safety.md lists the faults of a route. Times are those of the odometry's and the images' stamps.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from wm_bundle import BundleManifest
from wm_bundle.routes import DISTANCES_M, Route, RouteError, RouteFollower, RouteView, distances_among, is_route_input

from wm_planner.config import PlannerConfig
from wm_planner.errors import PlannerError
from wm_planner.pilot.continuity import NS_PER_S, Sample
from wm_planner.pilot.decision import BRAKE, Decision
from wm_planner.pilot.modes import Judgement, Mode

_HOLD_PERIODS = 2.5  # how old the newest odometry may be at an image: two may be lost
_KEPT = 1024  # views, to find the one of an image that comes late: a second of odometry at 1 kHz
_STANDS_MPS = 0.5  # slower than this, full brakes are comfortable
_FULL_BRAKE_MPS2 = 8.0  # of a car on a dry road; brakes that are weaker are applied earlier and harder
_EASES_AT, _BRAKES_AT = 0.5, 0.75  # of the comfortable deceleration
_GENTLE_M, _GENTLE_THROTTLE = 20.0, 0.2  # nearer than this to the end throttle is limited, at most to this
_SAME_END_M = 1.0


class Guide:
    """Follows the latest route by odometry. ``look`` once for every image; then ``judgement`` holds for that image."""

    def __init__(self, config: PlannerConfig, manifest: BundleManifest, log: Callable[[str], None]):
        """``log`` gets a line for every route with another end."""
        self._config = config
        self._log = log
        self._inputs = [spec for spec in manifest.vector if is_route_input(spec.name)]
        self._distances = distances_among([spec.name for spec in self._inputs]) or DISTANCES_M
        self._hold_ns = int(_HOLD_PERIODS * manifest.control_period_s * NS_PER_S)
        self.active = config.route == "required" or (config.route == "auto" and bool(self._inputs))
        """Whether it needs routes and odometry."""
        self._needed_by = "the parameter route" if config.route == "required" else f"bundle {manifest.model_id}"
        self._required = config.route == "required" or any(not spec.gaps for spec in self._inputs)
        self._route: Route | None = None
        self._unusable = ""
        self.reset()

    def reset(self) -> None:
        """The node is being activated; the route, which may have been sent once and for all, stays."""
        self._frame: str | None = None  # of the odometry
        self._pose: tuple[int, float, float, float, float] | None = None
        self._bad_pose = ""
        self._views: deque[tuple[int, float, RouteView]] = deque(maxlen=_KEPT)
        self.view: RouteView | None = None
        """At the last image; None without a route."""
        self._speed = 0.0
        self.begin(0)

    def begin(self, stamp_ns: int) -> None:
        """An episode begins with the image of this stamp: along the same route again, from wherever the vehicle is."""
        self._follower = None if self._route is None else self._follower_of(self._route)
        self._views.clear()
        self._begin_route()
        if self._pose is not None and self._pose[0] >= stamp_ns - self._hold_ns // 5:  # odometry of the same tick
            self._follow_if_possible()

    def _begin_route(self) -> None:
        self._arrived = False
        self._fresh = True  # nothing that was driven yet says that it is a route for this place
        self._trouble, self._trouble_since_ns = "", None

    def _follower_of(self, route: Route) -> RouteFollower:
        return RouteFollower(route, self._distances, self._config.off_route_m)

    # What arrives

    def take_route(self, points: np.ndarray, frame: str) -> None:
        """A route arrived, (n, 2) or (n, 3) [m]. The same one again changes nothing."""
        try:
            route = Route.of_points(points, frame)
        except RouteError as error:
            self._route = self._follower = None
            self._views.clear()
            self._unusable = f"the route cannot be followed: {error}"
            return
        old, self._route, self._unusable = self._route, route, ""
        if route.is_same(old):
            return
        if old is None or np.abs(route.points[-1] - old.points[-1]).max() > _SAME_END_M:
            loop = "a closed loop" if route.closed else "a route"
            self._log(f"{loop} of {route.length:.0f} m, {len(route.points)} points in the frame '{frame}'")
        if self._follower is None:
            self._follower = self._follower_of(route)
        else:
            self._follower.take(route)
        self._begin_route()
        self._follow_if_possible()

    def take_odometry(self, stamp_ns: int, frame: str, pose: tuple[float, float, float], speed: float) -> None:
        """A position (x, y, yaw) [m, rad] in a frame, and a speed [m/s]. Numbers that are not finite: none arrived."""
        if not all(map(math.isfinite, (*pose, speed))):
            self._bad_pose = "; its last position, orientation or speed is not valid"
            return
        if self._pose is not None and stamp_ns < self._pose[0]:
            self._views.clear()  # another run
            self._trouble_since_ns = None
        self._frame, self._bad_pose, self._pose = frame, "", (stamp_ns, *pose, speed)
        self._follow_if_possible()

    def lacks_odometry(self, stamp_ns: int) -> bool:
        """Whether a route is followed and the odometry is too old for an image of this stamp."""
        too_old = self._pose is None or self._pose[0] < stamp_ns - self._hold_ns
        return self.active and self._route is not None and too_old

    @property
    def _frames_differ(self) -> bool:
        """Whether positions on the route and of the odometry cannot be compared."""
        return self._route.frame not in (self._frame, self._config.route_frame or self._frame)

    def _follow_if_possible(self) -> None:
        if self._follower is not None and self._pose is not None and not self._frames_differ:
            self._follow(*self._pose)

    def _follow(self, stamp_ns: int, x: float, y: float, yaw: float, speed: float) -> None:
        view = self._follower.update(x, y, yaw)
        self._views.append((stamp_ns, abs(speed), view))
        trouble = self._trouble_of(view)
        if not trouble:
            self._fresh, self._trouble, self._trouble_since_ns = False, "", None
            near_m = self._config.arrival_m
            self._arrived = view.left <= (2.0 * near_m + 1.0 if self._arrived else near_m)
            return
        if self._trouble_since_ns is None:
            self._trouble_since_ns = stamp_ns
        if self._fresh or self._trouble or stamp_ns - self._trouble_since_ns >= self._config.off_route_s * NS_PER_S:
            self._trouble = trouble

    def _trouble_of(self, view: RouteView) -> str:
        if view.off_route:
            where = f"{view.distance:.1f} m away from {'the new' if self._fresh else 'its'} route"
            return f"the vehicle is {where}, more than {self._config.off_route_m:g} m"
        return "the route leads the other way, it is behind the vehicle" if view.facing_away else ""

    # What follows from it

    def look(self, stamp_ns: int, measured: float | None = None) -> dict[str, Sample]:
        """The route at an image's stamp, by the names of the bundle's inputs. ``measured``: the speed [m/s] there, for
        odometry that has none. Raises PlannerError where the route is needed and cannot be told."""
        self.view = None
        if not self.active:
            return {}
        if self._unusable:
            raise PlannerError(self._unusable)
        if self._route is None:
            if self._required:
                raise PlannerError(f"no route on {self._config.topic('route_topic')}, which {self._needed_by} needs")
            return {}
        if self._frame is not None and self._frames_differ:
            raise PlannerError(
                f"the route is in the frame '{self._route.frame}', the odometry in '{self._frame}': send both in one; "
                f"if the two are one place, set the parameter route_frame to '{self._route.frame}'"
            )
        for view_ns, speed, view in reversed(self._views):
            if 0 <= stamp_ns - view_ns <= self._hold_ns:
                self.view, self._speed = view, max(speed, abs(measured or 0.0))
                told = view.signals()
                return {spec.name: Sample(view_ns, told[spec.name]) for spec in self._inputs}
        raise PlannerError(
            f"no {self._config.topic('odometry_topic')} at or shortly before the image's stamp "
            f"{stamp_ns / NS_PER_S:.3f} s, so no place on the route{self._bad_pose}"
        )

    @property
    def judgement(self) -> Judgement:
        """Whether to drive on along the route."""
        if self.view is None:
            return Judgement(Mode.DRIVING)
        if self._trouble:
            return Judgement(Mode.BRAKING, self._trouble)
        if self._arrived:
            return Judgement(Mode.ARRIVED, f"arrived, {self.view.left:.1f} m before the end of the route")
        return Judgement(Mode.DRIVING)

    def halt(self) -> Decision | None:
        """The decision for an image that needs no plan: a brake, or to stand at the end of the route."""
        judgement = self.judgement
        stands = judgement.mode is Mode.ARRIVED and self._speed < _STANDS_MPS
        if judgement.mode is Mode.BRAKING or stands:
            return Decision(BRAKE, judgement.reason, mode=judgement.mode)
        return None

    def guided(self, decision: Decision) -> Decision:
        """A planned decision, slowed down before the end of the route."""
        if self.view is None or math.isinf(self.view.left):
            return decision
        arrived = self.judgement.mode is Mode.ARRIVED
        command = slowed(decision.command, self.view.left, self._speed, self._config.stop_deceleration, stop=arrived)
        if not arrived:
            return replace(decision, command=command)
        return replace(decision, command=command, mode=Mode.ARRIVED, reason=self.judgement.reason)

    @property
    def told(self) -> tuple[str, str, dict[str, float]]:
        """("ok", "waits" or "fault", a sentence, numbers with units in their names) for the diagnostics."""
        if self._unusable or self._trouble:
            return "fault", self._unusable or self._trouble, {}
        if self._route is None:
            return ("fault" if self._required else "waits"), "no route yet", {}
        if self.view is None:
            return "fault", "the place on the route is not known", {}
        view, loop = self.view, self._route.closed
        values = {
            "offset [m]": view.offset,
            "heading [rad]": view.heading,
            "place [m]": view.place,
            "length [m]": self._route.length,
            "completed [%]": 100.0 * view.completion,
        }
        where = f"{view.progress / self._route.length:.1f} laps" if loop else f"{view.left:.0f} m left"
        return "ok", ("arrived" if self._arrived else f"follows the route, {where}"), values


def slowed(command: np.ndarray, left_m: float, speed: float, deceleration: float, stop: bool = False) -> np.ndarray:
    """A command (3,) that stops the vehicle at the end of its route with about a ``deceleration`` [m/s^2].

    What counts is the share of it that is needed to stop in ``left_m``: throttle ends where that grows, and then the
    brake follows it steeply, so that other brakes than expected are compensated. ``stop``: at least brake with it."""
    steer, throttle, brake = (float(number) for number in command)
    share = 0.5 * speed * speed / max(left_m, 0.1) / deceleration
    excess = max((share - _BRAKES_AT) / (1.0 - _BRAKES_AT), 1.0 if stop else 0.0)
    if excess > 0.0:
        return np.array([steer, 0.0, min(max(brake, excess * deceleration / _FULL_BRAKE_MPS2), 1.0)], np.float32)
    limit = min((_BRAKES_AT - share) / (_BRAKES_AT - _EASES_AT), max(left_m / _GENTLE_M, _GENTLE_THROTTLE))
    return np.array([steer, min(throttle, limit), brake], np.float32)

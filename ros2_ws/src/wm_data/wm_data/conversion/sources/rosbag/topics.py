"""Selects the topics of a bag: as named by --topics and --cameras, else by type."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from wm_bundle.processes.suggestions import did_you_mean
from wm_bundle.vector_inputs import (
    ROUTE,
    SPEED,
    STATUS,
    YAW_RATE,
    InputTopic,
    Source,
    VectorInput,
    converted_inputs,
    input_topics,
)
from wm_bundle.vehicle_commands.messages import ACKERMANN, ACKERMANN_STAMPED, AUTOWARE, CARLA, TWIST, TWIST_STAMPED
from wm_evaluation.wording import counted

from wm_data.bags.bag import Topic
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.errors import ConversionError

IMAGES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")

# Types searched for besides the vector inputs, in order of preference.
_TYPES = {
    STATUS.kind: (STATUS.type,),
    "control": (CARLA, AUTOWARE, ACKERMANN_STAMPED, ACKERMANN, TWIST_STAMPED, TWIST),
    "collision": ("carla_msgs/msg/CarlaCollisionEvent",),
    "lane_invasion": ("carla_msgs/msg/CarlaLaneInvasionEvent",),
    "step_result": ("wm_msgs/msg/StepResult",),
    "expert": (CARLA,),
}
EVENTS = ("collision", "lane_invasion")  # without messages they mean that nothing happened
EXPERT_NAME = "expert_control"
_IMAGE_NAMES = ("image", "image_raw", "image_color", "image_rect", "image_rect_color", "image_mono", "compressed")


@dataclass(frozen=True)
class Selection:
    """The topics to read. ``cameras``: (name, topic) of each; ``kinds``: topic of each kind that is used;
    ``inputs``: the source of each vector input of ``entries``; ``actions``: "applied", "commanded" or "derived"."""

    cameras: tuple[tuple[str, str], ...]
    kinds: dict[str, str]
    inputs: dict[str, Source]
    entries: dict[str, VectorInput]
    actions: str
    route: str | None = None
    """Topic of the route, where a recorded one may be used. It is read beforehand."""

    @property
    def topics(self) -> set[str]:
        return {topic for _, topic in self.cameras} | set(self.kinds.values())


def select_topics(topics: dict[str, Topic], options: ConvertOptions) -> Selection:
    """Select. Raises ConversionError, with the bag's topics, where that is impossible or ambiguous."""
    named = _named(topics, options)
    cameras = _cameras(topics, named, options)
    # Speed and yaw rate are read anyway: actions and rewards may need them.
    taken, by_name = {entry.name: entry for entry in converted_inputs()} | options.inputs(), options.asked()
    _check_used(named, input_topics(taken.values()))
    find = _Finder(topics, named, cameras[0][1], input_topics(taken[name] for name in by_name))
    kinds: dict[str, str] = {}

    def use(kind: str) -> bool:
        topic = find(kind)
        if topic is not None:
            kinds[kind] = topic
        return topic is not None

    has_status = use("status")
    actions = _actions(options.actions, has_status, lambda: use("control"), topics)
    for kind in (*EVENTS, "step_result", "expert"):
        use(kind)
    inputs: dict[str, Source] = {}
    for entry in taken.values():
        if entry.derived:
            continue
        # A simulator that sends rewards is recorded like in `collect`.
        asked = entry.name in by_name or {source.topic.kind for source in entry.sources} & {*named, *kinds}
        if entry.usual or asked or actions == "derived" or "step_result" not in kinds:
            sources = sorted(entry.sources, key=lambda one: not (one.if_named and one.topic.kind in named))
            source = next((one for one in sources if use(one.topic.kind)), None)
            if source is not None:
                factor = options.yaw_rate_factor if entry is YAW_RATE else source.factor
                inputs[entry.name] = replace(source, factor=factor)
    if actions == "derived" and not {SPEED.name, YAW_RATE.name} <= inputs.keys():
        raise ConversionError(
            "actions derived from the motion need a speed (vehicle status or odometry) and a yaw rate (odometry or "
            f"IMU); the bag has {_listed(topics.values())}"
        )
    if options.route != "none":
        use("odometry")
    route = find("route") if options.route in ("auto", "recorded") else None
    if route is None and options.route == "recorded":
        raise ConversionError(
            f"no route, expected a topic of type nav_msgs/msg/Path; it has {_listed(topics.values())}"
        )
    return Selection(cameras, kinds, inputs, taken, actions, route)


def _check_used(named: dict[str, str], used: dict[str, InputTopic]) -> None:
    for kind in sorted(named.keys() & (input_topics().keys() - used.keys() - {STATUS.kind})):
        advice = "give --route too" if kind == ROUTE.kind else "name it in --signals"
        raise ConversionError(f"--topics names {kind}, from which no input is taken: {advice}")


def _types(named: bool = False) -> dict[str, tuple[str, ...]]:
    """Types to search for, by kind; for ``named`` topics more are accepted."""
    return _TYPES | {
        kind: (topic.type, *topic.own_types, *topic.other_types) if named else (topic.type,) if topic.stamped else ()
        for kind, topic in input_topics().items()
    }


def _actions(wanted: str, has_status: bool, use_control: Callable[[], bool], topics: dict[str, Topic]) -> str:
    if wanted == "derived":
        return wanted
    if has_status and wanted in ("auto", "applied"):
        return "applied"
    if wanted == "applied":
        raise ConversionError(
            f"no topic of type {STATUS.type}, which has the applied control; the bag has {_listed(topics.values())}"
        )
    if use_control():
        return "commanded"
    if wanted == "commanded":
        raise ConversionError(
            f"no topic with commands: expected one of {', '.join(_TYPES['control'])}; the bag has "
            f"{_listed(topics.values())}. A Twist is taken by itself only where its name holds 'cmd' or 'command'; "
            f"name another with --topics control=TOPIC"
        )
    return "derived"


def _named(topics: dict[str, Topic], options: ConvertOptions) -> dict[str, str]:
    """--topics as a dictionary."""
    types = _types(named=True)
    named: dict[str, str] = {}
    for entry in options.topics:
        kind, equals, topic = entry.partition("=")
        if not (kind and equals and topic):
            raise ConversionError(f"--topics has '{entry}', expected KIND=TOPIC as status=/carla/hero/vehicle_status")
        if kind in named:
            raise ConversionError(f"--topics names {kind} twice: {named[kind]} and {topic}")
        if topic not in topics:
            hint = did_you_mean(topic, topics)
            raise ConversionError(f"--topics names {topic}, the bag has {_listed(topics.values())}{hint}")
        allowed = types.get(kind, IMAGES)
        if topics[topic].type not in allowed:
            kinds = "" if kind in types else f" ('{kind}' is not one of {', '.join(types)}, so it is a camera's name)"
            raise ConversionError(
                f"--topics has {entry}, which is of type {topics[topic].type}, expected {' or '.join(allowed)}{kinds}"
            )
        named[kind] = topic
    return named


def sensor_id(topic: str) -> str:
    """The camera's name in its topic: rgb_front of /carla/ego_vehicle/rgb_front/image."""
    parts = [part for part in topic.split("/") if part]
    while len(parts) > 1 and parts[-1] in _IMAGE_NAMES:
        parts.pop()
    return parts[-1] if parts else "camera"


def _cameras(topics: dict[str, Topic], named: dict[str, str], options: ConvertOptions) -> tuple[tuple[str, str], ...]:
    named = {name: topic for name, topic in named.items() if name not in _types()}
    there = [topic for topic in topics.values() if topic.type in IMAGES and topic.count and _is_picture(topic)]
    found: dict[str, list[str]] = {}
    for topic in there:
        found.setdefault(sensor_id(topic.name), []).append(topic.name)
    if options.cameras:
        if len(set(options.cameras)) < len(options.cameras):
            raise ConversionError(f"--cameras names one twice: {' '.join(options.cameras)}")
        if left_out := sorted(named.keys() - set(options.cameras)):
            raise ConversionError(f"--topics names a camera {left_out[0]} that --cameras lacks")
        return tuple((name, named.get(name) or _camera_topic(name, found, topics)) for name in options.cameras)
    if named:
        return tuple(named.items())
    name = _default_camera(found, there, topics)
    return ((name, _camera_topic(name, found, topics)),)


def _is_picture(topic: Topic) -> bool:
    return not topic.name.endswith("/compressedDepth")


def _camera_topic(name: str, found: dict[str, list[str]], topics: dict[str, Topic]) -> str:
    candidates = found.get(name, [])
    # A compressed topic beside the raw one has the same pictures in lower quality.
    raw = [topic for topic in candidates if not topic.endswith("/compressed")]
    candidates = raw or candidates
    if not candidates:
        cameras = ", ".join(sorted(found)) or "none"
        raise ConversionError(f"no camera '{name}', the cameras are: {cameras}; the bag has {_listed(topics.values())}")
    if len(candidates) > 1:
        raise ConversionError(
            f"camera '{name}' could be {', '.join(candidates)}: name one with --topics {name}={candidates[0]}"
        )
    return candidates[0]


def _default_camera(found: dict[str, list[str]], there: list[Topic], topics: dict[str, Topic]) -> str:
    """The only camera, else the front camera."""
    if not found:
        raise ConversionError(
            f"the bag has no pictures, expected a topic with messages of type {' or '.join(IMAGES)}; it has "
            f"{_listed(topics.values()) or 'no topics'}"
        )
    front = [name for name in found if "front" in name.lower()]
    for candidates in (list(found), [name for name in found if name == "rgb_front"], front):
        if len(candidates) == 1:
            return candidates[0]
    raise ConversionError(
        f"several cameras, and not one alone is in front: choose with --cameras out of {', '.join(sorted(found))} "
        f"({_listed(there)})"
    )


class _Finder:
    def __init__(
        self, topics: dict[str, Topic], named: dict[str, str], camera_topic: str, asked: dict[str, InputTopic]
    ):
        """``asked``: topics of the vector inputs that were asked for, by kind: their usual names are enough."""
        self._topics = topics
        self._named = named
        self._asked = asked
        self._vehicle = camera_topic.removesuffix("/compressed").rsplit("/", 2)[0] + "/"

    def __call__(self, kind: str) -> str | None:
        """The topic, None where there is none. Raises ConversionError where there are several."""
        if kind in self._named:
            return self._named[kind]
        if kind in self._asked and (usual := self._usual(self._asked[kind])) is not None:
            return usual
        for wanted in (*_types().get(kind, ()), *(self._asked[kind].own_types if kind in self._asked else ())):
            candidates = [topic.name for topic in self._topics.values() if self._fits(topic, kind, wanted)]
            candidates = self._narrowed(candidates)
            if len(candidates) > 1:
                raise ConversionError(
                    f"{kind} could be {', '.join(candidates)} (all {wanted}): name one with --topics "
                    f"{kind}={candidates[0]}"
                )
            if candidates:
                return candidates[0]
        return None

    def _usual(self, topic: InputTopic) -> str | None:
        """The topic of an input's usual name; None where there is none. Raises ConversionError for another type."""
        name = topic.leaf if topic.leaf.startswith("/") else self._vehicle + topic.leaf
        there, free = self._topics.get(name), topic.kind not in input_topics()
        if there is None or there.type in (topic.type, *topic.own_types):
            return None if there is None else name
        if free:
            raise ConversionError(f"{name} is of type {there.type}, its signal expects {topic.type}")
        return None

    def _fits(self, topic: Topic, kind: str, wanted: str) -> bool:
        name = topic.name.rsplit("/", 1)[-1]
        if topic.type != wanted or not (topic.count or kind in EVENTS) or topic.name in self._named.values():
            return False
        if wanted == CARLA:
            return (name == EXPERT_NAME) == (kind == "expert")
        if wanted in (TWIST, TWIST_STAMPED):  # may also be a measured velocity
            return "cmd" in name or "command" in name
        return True

    def _narrowed(self, candidates: list[str]) -> list[str]:
        """Of several, the one of the camera's own vehicle; manual commands are only in force when switched on."""
        for better in (
            [topic for topic in candidates if topic.startswith(self._vehicle)],
            [topic for topic in candidates if not topic.endswith("_manual")],
        ):
            if len(candidates) > 1 and better:
                candidates = better
        return candidates


def _listed(topics) -> str:
    return ", ".join(f"{topic.name} ({topic.type}, {counted(topic.count, 'message')})" for topic in topics)

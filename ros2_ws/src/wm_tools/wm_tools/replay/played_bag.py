"""What the monitor needs to know about a bag: whether it can drive the planner, and its frames."""

from pathlib import Path

from wm_bundle import BundleManifest
from wm_bundle.times import NS_PER_S
from wm_data.bags.episode_topics import META_TOPIC
from wm_planner.config import PlannerConfig
from wm_planner.pilot.preflight import image_topics

from wm_tools.common.errors import ReplayError
from wm_tools.replay.bag import PlayedTopic, open_replay
from wm_tools.replay.frames import Moment, header_stamp_ns, moments_of
from wm_tools.replay.recorded_time import RecordedTime

_TYPES = {"raw": ("sensor_msgs/msg/Image", ""), "compressed": ("sensor_msgs/msg/CompressedImage", "/compressed")}


def planner_topics(manifest: BundleManifest, config: PlannerConfig) -> list[str]:
    """The planner's camera topics. Raises ConfigError."""
    names = image_topics(config, [camera.name for camera in manifest.image.cameras], manifest.control_period_s)
    return [name + _TYPES[config.image_transport][1] for name in names]


def camera_topics(
    bag: Path, manifest: BundleManifest, config: PlannerConfig, recover: bool = False
) -> list[PlayedTopic]:
    """The planner's camera topics, which the bag must have; ``recover``: of a damaged bag, what is left.

    Raises ReplayError if one is missing or has another type or size than the planner expects.
    """
    kind = _TYPES[config.image_transport][0]
    with open_replay(bag, recover) as played:
        if META_TOPIC in played.topics and not config.preprocessed_images:
            raise ReplayError(
                f"{bag} is an episode from to_bag with pictures at the model's size: replay it with "
                f"preprocessed_images=true among the planner's parameters"
            )
        found = []
        for name in planner_topics(manifest, config):
            topic = played.topics.get(name)
            if topic is None or topic.kind != kind:
                cameras = [
                    there
                    for there, entry in played.topics.items()
                    if entry.kind in (kind for kind, _ in _TYPES.values())
                ]
                raise ReplayError(
                    f"{bag} has no {kind} on {name}, where the planner listens; its pictures "
                    f"are on {', '.join(cameras) or 'no topic'} (parameters role_name, image_topic, "
                    f"image_transport)"
                )
            found.append(topic)
        return found


def check_gaps(bag: Path, topics: list[str], max_gap_s: float, recover: bool = False) -> None:
    """Refuse a bag that a player without gap skipping cannot play. ``max_gap_s``: 0 for any gap. Raises ReplayError."""
    if not max_gap_s:
        return
    with open_replay(bag, recover) as played:
        recorded = None
        for message in played.messages([topic for topic in topics if topic in played.topics]):
            recorded = recorded or RecordedTime(message.log_ns, max_gap_s)
            recorded.go_to(message.log_ns)
            if recorded.skipped:
                raise ReplayError(f"{bag}: {recorded.note}; `ros2 bag play` would stall there: use player:=own")


def played_moments(bag: Path, cameras: list[PlayedTopic], config: PlannerConfig, recover: bool = False) -> list[Moment]:
    """The frames of the bag, in recorded order. Raises ReplayError."""
    tolerance_ns = int(config.camera_tolerance_ms * 1e-3 * NS_PER_S) if len(cameras) > 1 else -1
    with open_replay(bag, recover) as played:
        try:
            stamps = [header_stamp_ns(message.raw) for message in played.messages([topic.name for topic in cameras])]
        except ValueError as error:
            raise ReplayError(f"{bag}: a picture cannot be read: {error}") from None
    return moments_of(stamps, tolerance_ns)

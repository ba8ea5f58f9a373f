"""A bag to play: its topics with the recorded quality of service, and messages in ROS 2 serialisation.

``wm_data`` opens and reads it, so every bag that `convert rosbag` reads can be played.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import QosDurability, QosReliability
from wm_data.bags.bag import Bag, Message, open_bag
from wm_data.bags.connection import ROS1
from wm_data.bags.message_types import jazzy_typestore
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag import find_drives
from wm_data.errors import ConversionError

from wm_tools.common.errors import RecordError, ReplayError
from wm_tools.record.definitions import message_class

_DEPTH = 10  # if the bag does not say; rosbag2 cannot see a publisher's depth


@dataclass(frozen=True)
class PlayedTopic:
    """A playable topic: its name, message type and class, and the quality of service to offer."""

    name: str
    kind: str
    message_class: type
    qos: QoSProfile


class ReplayBag:
    """An open bag. ``topics``: what can be played, by name; ``left_out``: why each other topic cannot."""

    def __init__(self, bag: Bag, report: DriveReport):
        self._bag = bag
        self._report = report
        self._told: set[str] = set()
        self.topics: dict[str, PlayedTopic] = {}
        self.left_out: dict[str, str] = {}
        for topic in bag.topics.values():
            try:
                if topic.encoding == ROS1 and topic.type not in jazzy_typestore().fielddefs:
                    raise ReplayError(f"the definition of {topic.type} in ROS 2 is not known")
                _check_layout(bag, topic.type)
                self.topics[topic.name] = PlayedTopic(
                    topic.name, topic.type, message_class(topic.type), self._offered(topic.name)
                )
            except (RecordError, ReplayError) as error:
                self.left_out[topic.name] = str(error)

    def news(self) -> list[str]:
        """Findings about the bag since the last call: damage that was skipped, skipped messages."""
        texts = [*self._report.notes, *(f"skipped: {count} x {why}" for why, count in self._report.skipped.items())]
        new = [text for text in texts if text not in self._told]
        self._told.update(new)
        return new

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """Messages of ``topics`` in recorded order, as CDR bytes. Raises ReplayError."""
        try:
            for message in self._bag.messages(topics):
                raw = bytes(message.raw)
                if self._bag.topics[message.topic].encoding == ROS1:
                    raw = bytes(jazzy_typestore().ros1_to_cdr(raw, self.topics[message.topic].kind))
                yield Message(message.topic, message.log_ns, raw)
        except ConversionError as error:
            raise ReplayError(str(error)) from None
        except Exception as error:  # from rosbags, for bytes that are not a ROS 1 message
            raise ReplayError(f"{self._bag.place}: a message cannot be converted: {error}") from None

    def _offered(self, topic: str) -> QoSProfile:
        profiles = self._bag.offered_qos(topic)
        # One publisher replaces several: it must reach every subscriber that any of them reached.
        effort = profiles and all(qos.reliability == QosReliability.BEST_EFFORT for qos in profiles)
        latched = profiles and all(qos.durability == QosDurability.TRANSIENT_LOCAL for qos in profiles)
        return QoSProfile(
            depth=max((qos.depth for qos in profiles), default=0) or _DEPTH,
            reliability=ReliabilityPolicy.BEST_EFFORT if effort else ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        )


@contextmanager
def open_replay(path: Path, recover: bool = False) -> Iterator[ReplayBag]:
    """Open the bag at ``path``, a file or a folder; with ``recover``, what is left of a damaged one.

    Raises ReplayError if it cannot be read.
    """
    try:
        drives = find_drives(ConvertOptions("rosbag", str(path), ""))
        if len(drives) > 1:
            names = ", ".join(drive.name for drive in drives[:5])
            raise ReplayError(
                f"{path} holds {len(drives)} bags ({names}{', …' if len(drives) > 5 else ''}): choose one"
            )
        paths = [Path(file) for file in drives[0].paths]
        report = DriveReport(drives[0].name)
        with open_bag(paths, report, recover) as bag:
            yield ReplayBag(bag, report)
    except ConversionError as error:
        raise ReplayError(str(error)) from None


def _check_layout(bag: Bag, kind: str) -> None:
    """Raise ReplayError if the bag's definition of a message type has other fields than the installed one.

    Compared if both are known; a bag's bytes are published unchanged, and subscribers decode them by their type.
    """
    ours, theirs = jazzy_typestore(), bag.typestore(kind)
    if kind in ours.fielddefs and theirs is not None and _layout(ours, kind) != _layout(theirs, kind):
        raise ReplayError(f"its messages were recorded with a definition of {kind} other than the installed one")


def _layout(store, kind: str):
    """The kinds of a type's fields in their order, without names."""
    if kind == "std_msgs/msg/Header":  # ROS 1's has a sequence number as well, which rosbags removes
        return kind

    def described(description):
        _, inner = description
        if isinstance(inner, str):
            return _layout(store, inner)
        if isinstance(inner[0], tuple):
            return (described(inner[0]), *inner[1:])
        return inner[0]  # a basic type; the other entry is the maximum length of a string

    return tuple(described(description) for _, description in store.fielddefs[kind][1])

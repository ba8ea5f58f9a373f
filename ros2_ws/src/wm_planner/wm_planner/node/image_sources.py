"""Reports who publishes the cameras' topics, for when no image arrives."""

from collections.abc import Sequence

from rclpy.node import Node

from wm_planner.node.endpoints import type_name

_MOST = 8  # other topics in the message


class ImageSources:
    """Looks at the graph on each call."""

    def __init__(self, node: Node, kind: type, topics: Sequence[str]):
        """``kind``: message type of the ``topics``, one for each camera."""
        self._node = node
        self._topics = [node.resolve_topic_name(topic) for topic in topics]
        self._kind = type_name(kind)

    def tell(self) -> str:
        """One line on all topics; if one has no publisher, also on the image topics that do."""
        lonely = [topic for topic in self._topics if not self._node.count_publishers(topic)]
        told = []
        for topic in self._topics:
            if topic not in lonely:
                names = sorted({end.node_name for end in self._node.get_publishers_info_by_topic(topic)})
                told.append(f"{topic} is published by {', '.join(names)}")
        if lonely:
            told.append(f"nobody publishes {', '.join(lonely)}; {self._others()}")
        return "; ".join(told)

    def _others(self) -> str:
        ours = {publisher.topic_name for publisher in self._node.publishers}
        others = sorted(
            topic
            for topic, kinds in self._node.get_topic_names_and_types()
            if self._kind in kinds and topic not in ours and self._node.count_publishers(topic)
        )
        if not others:
            return f"there is no topic of {self._kind}"
        more = f" and {len(others) - _MOST} more" if len(others) > _MOST else ""
        return f"topics of {self._kind} are {', '.join(others[:_MOST])}{more}"

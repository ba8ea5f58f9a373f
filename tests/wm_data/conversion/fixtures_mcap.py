"""mcap files as other writers than rosbag2's make them: without indexes, summaries, profiles or definitions."""

from pathlib import Path

from fixtures_rosbag import Recording, built, ros1_store, ros2_store
from mcap.writer import CompressionType, Writer


def write_mcap(
    path: Path,
    recording: Recording,
    profile: str = "ros2",
    ros1: bool = False,
    definitions: bool = True,
    short_names: bool = False,
    strangers: tuple = (),
    **settings,
) -> Path:
    """One .mcap file.

    ``definitions``: whether schemas hold text. ``short_names``: types as ROS 1 calls them, as package/Type.
    ``strangers``: topics as (topic, type, encoding of the definition, definition, encoding of the messages), with a
    message each at the beginning. ``settings``: as of mcap's Writer.
    """
    store = ros1_store() if ros1 else ros2_store()
    with open(path, "wb") as stream:
        writer = Writer(stream, **{"compression": CompressionType.NONE, "chunk_size": 4000, **settings})
        writer.start(profile, "a test")
        first_ns = recording.messages[0][2]
        for topic, msgtype, kind, text, encoding in strangers:
            schema = writer.register_schema(msgtype, kind, text.encode())
            writer.add_message(writer.register_channel(topic, encoding, schema), first_ns, b"\0\1\0\0 any", first_ns)
        channels = {}
        for topic, msgtype, log_ns, fields in recording.messages:
            if topic not in channels:
                text = store.generate_msgdef(msgtype, ros_version=1 if ros1 else 2)[0] if definitions else ""
                name = msgtype.replace("/msg/", "/") if ros1 or short_names else msgtype
                schema = writer.register_schema(name, "ros1msg" if ros1 else "ros2msg", text.encode())
                channels[topic] = writer.register_channel(topic, "ros1" if ros1 else "cdr", schema)
            serialize = store.serialize_ros1 if ros1 else store.serialize_cdr
            raw = bytes(serialize(built(store, msgtype, fields), msgtype))
            writer.add_message(channels[topic], log_ns, raw, log_ns)
        writer.finish()
    return path

"""Reading what `to_bag` wrote, without the conversion of bags."""

from rosbags.highlevel import AnyReader

BASE = "/carla/ego_vehicle"


def messages(path, topic):
    """(log time, message) of a topic, decoded with the definitions that the bag holds."""
    with AnyReader([path]) as reader:
        connections = [connection for connection in reader.connections if connection.topic == topic]
        return [(t, reader.deserialize(raw, c.msgtype)) for c, t, raw in reader.messages(connections)]


def stamp_of(message):
    """The stamp of a message's header [ns]."""
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec

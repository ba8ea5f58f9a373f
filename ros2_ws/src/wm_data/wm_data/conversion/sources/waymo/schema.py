"""The messages of Waymo Motion, as a descriptor made at run time.

Generated _pb2 modules work with one major version of protobuf only; a descriptor works with all. Only the fields that
are used are named: the parser steps over the others (lidar, camera tokens). Enumerations are read as their numbers.
"""

from functools import cache

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "wm_training.waymo_motion"

# message: {field: (number, type)}; a type in brackets repeats; a capital letter begins the name of a message.
_MESSAGES = {
    "MapPoint": {"x": (1, "double"), "y": (2, "double")},
    "LaneCenter": {"type": (2, "int32"), "polyline": (8, "[MapPoint]")},
    "RoadLine": {"type": (1, "int32"), "polyline": (2, "[MapPoint]")},
    "RoadEdge": {"type": (1, "int32"), "polyline": (2, "[MapPoint]")},
    "StopSign": {"position": (2, "MapPoint")},
    "Crosswalk": {"polygon": (1, "[MapPoint]")},
    "SpeedBump": {"polygon": (1, "[MapPoint]")},
    "Driveway": {"polygon": (1, "[MapPoint]")},
    # In the original these are a oneof, which reads the same where only one of them is there.
    "MapFeature": {
        "lane": (3, "LaneCenter"),
        "road_line": (4, "RoadLine"),
        "road_edge": (5, "RoadEdge"),
        "stop_sign": (7, "StopSign"),
        "crosswalk": (8, "Crosswalk"),
        "speed_bump": (9, "SpeedBump"),
        "driveway": (10, "Driveway"),
    },
    "ObjectState": {
        "center_x": (2, "double"),
        "center_y": (3, "double"),
        "length": (5, "float"),
        "width": (6, "float"),
        "heading": (8, "float"),
        "velocity_x": (9, "float"),
        "velocity_y": (10, "float"),
        "valid": (11, "bool"),
    },
    "Track": {"id": (1, "int32"), "object_type": (2, "int32"), "states": (3, "[ObjectState]")},
    "TrafficSignalLaneState": {"state": (2, "int32"), "stop_point": (3, "MapPoint")},
    "DynamicMapState": {"lane_states": (1, "[TrafficSignalLaneState]")},
    "Scenario": {
        "timestamps_seconds": (1, "[double]"),
        "tracks": (2, "[Track]"),
        "scenario_id": (5, "bytes"),
        "sdc_track_index": (6, "int32"),
        "dynamic_map_states": (7, "[DynamicMapState]"),
        "map_features": (8, "[MapFeature]"),
    },
    "BytesList": {"value": (1, "[bytes]")},
    "FloatList": {"value": (1, "[float]")},
    "Int64List": {"value": (1, "[int64]")},
    "Feature": {"bytes_list": (1, "BytesList"), "float_list": (2, "FloatList"), "int64_list": (3, "Int64List")},
    "FeatureEntry": {"key": (1, "bytes"), "value": (2, "Feature")},  # a map's entry, as it is on the wire
    "Features": {"feature": (1, "[FeatureEntry]")},
    "Example": {"features": (1, "Features")},
}
SCENARIO_ID_FIELD = _MESSAGES["Scenario"]["scenario_id"][0]


def file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number)
            repeated, kind = kind.startswith("["), kind.strip("[]")
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind[0].isupper():
                field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = getattr(field, f"TYPE_{kind.upper()}")
    return file


@cache
def message_class(name: str) -> type:
    """The class of a message, as "Scenario" or "Example"."""
    pool = descriptor_pool.DescriptorPool()  # one of its own: the public one may hold Waymo's own messages
    pool.AddSerializedFile(file_descriptor().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))

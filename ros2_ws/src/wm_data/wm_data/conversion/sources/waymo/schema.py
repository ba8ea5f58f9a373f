"""The messages of Waymo Motion, as a descriptor made at run time.

Generated _pb2 modules work with one major version of protobuf only; a descriptor works with all. Only the fields in use
are listed: the parser skips the others (lidar, camera tokens). Enumerations are read as numbers.
"""

from functools import cache

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "wm_training.waymo_motion"

# message: "type field = number, ..."; a type in brackets is repeated; message names begin with a capital letter.
_MESSAGES = {
    "MapPoint": "double x = 1, double y = 2",
    "LaneCenter": "int32 type = 2, [MapPoint] polyline = 8",
    "RoadLine": "int32 type = 1, [MapPoint] polyline = 2",
    "RoadEdge": "int32 type = 1, [MapPoint] polyline = 2",
    "StopSign": "MapPoint position = 2",
    "Crosswalk": "[MapPoint] polygon = 1",
    "SpeedBump": "[MapPoint] polygon = 1",
    "Driveway": "[MapPoint] polygon = 1",
    # In the original these are a oneof, which reads the same if only one of them is set.
    "MapFeature": "LaneCenter lane = 3, RoadLine road_line = 4, RoadEdge road_edge = 5, StopSign stop_sign = 7, "
    "Crosswalk crosswalk = 8, SpeedBump speed_bump = 9, Driveway driveway = 10",
    "ObjectState": "double center_x = 2, double center_y = 3, float length = 5, float width = 6, "
    "float heading = 8, float velocity_x = 9, float velocity_y = 10, bool valid = 11",
    "Track": "int32 id = 1, int32 object_type = 2, [ObjectState] states = 3",
    "TrafficSignalLaneState": "int32 state = 2, MapPoint stop_point = 3",
    "DynamicMapState": "[TrafficSignalLaneState] lane_states = 1",
    "Scenario": "[double] timestamps_seconds = 1, [Track] tracks = 2, bytes scenario_id = 5, "
    "int32 sdc_track_index = 6, [DynamicMapState] dynamic_map_states = 7, [MapFeature] map_features = 8",
    "BytesList": "[bytes] value = 1",
    "FloatList": "[float] value = 1",
    "Int64List": "[int64] value = 1",
    "Feature": "BytesList bytes_list = 1, FloatList float_list = 2, Int64List int64_list = 3",
    "FeatureEntry": "bytes key = 1, Feature value = 2",  # a map's entry, as on the wire
    "Features": "[FeatureEntry] feature = 1",
    "Example": "Features features = 1",
}
SCENARIO_ID_FIELD = 5


def file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for told in fields.split(", "):
            kind, field_name, _, number = told.split()
            field = message.field.add(name=field_name, number=int(number))
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
    pool = descriptor_pool.DescriptorPool()  # a separate one: the default pool may hold Waymo's own messages
    pool.AddSerializedFile(file_descriptor().SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))

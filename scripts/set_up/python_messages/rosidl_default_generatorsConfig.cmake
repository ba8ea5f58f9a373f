# Instead of the file of this name in the ROS wheels: makes messages for Python alone, without the sources for C++, which
# take most of the time and which nothing that the wheels run can use.
find_package(rosidl_core_generators REQUIRED)
list(FILTER AMENT_EXTENSIONS_rosidl_generate_idl_interfaces EXCLUDE REGEX "_cpp:")
# All messages of a package in one compiler run, set at the end of the CMakeLists.txt that looks for this package.
cmake_language(DEFER CALL set_target_properties
  ${PROJECT_NAME}__rosidl_typesupport_fastrtps_c ${PROJECT_NAME}__rosidl_typesupport_introspection_c
  PROPERTIES UNITY_BUILD ON)

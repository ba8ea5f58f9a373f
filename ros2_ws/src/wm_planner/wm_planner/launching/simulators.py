"""Parameters of the planner and the command watchdog for the simulator, or vehicle, that they drive.

Each has a ROS 2 parameter file in ``config/simulators``, with the parameters of both nodes and
``{role_name}`` for the car's name.
"""

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory

FILES = {"embedded": "wm_sim.yaml", "carla": "carla_bridge.yaml", "carla_native": "carla_native.yaml"}
SIMULATORS = (*FILES, "none")
NODES = ("wm_planner", "wm_command_watchdog")
_BRIDGES_ROLE_NAME, _NATIVE_ROLE_NAME = "ego_vehicle", "hero"  # CARLA itself listens only to a car named hero
_KINDS = (bool, int, float, str)


def role_name_of(simulator: str, given: str) -> str:
    """The car's name in topics: ``given``, or the simulator's default where that is empty."""
    return given or (_NATIVE_ROLE_NAME if simulator == "carla_native" else _BRIDGES_ROLE_NAME)


def node_parameters(simulator: str, role_name: str, file: str = "") -> dict[str, dict]:
    """Parameters by the names of ``NODES``, from ``file`` or, where that is empty, from the simulator's own.

    Raises RuntimeError for an unusable file; the nodes check the values themselves.
    """
    if not file and simulator not in FILES:
        raise RuntimeError(
            "simulator:=none drives a car that is already running: name its topics with topics:=FILE, a copy "
            "of a file in share/wm_planner/config/simulators (docs/vehicle.md)"
        )
    default = Path(get_package_share_directory("wm_planner"), "config", "simulators", FILES.get(simulator, ""))
    path = Path(file).expanduser() if file else default
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RuntimeError(f"topics:={path}: cannot be read: {error}") from None
    of_nodes = isinstance(content, dict) and content and set(content) <= set(NODES)
    _require(path, of_nodes, f"the nodes {' and '.join(NODES)}", content)
    found = {}
    for node in NODES:
        values = (content.get(node) or {}).get("ros__parameters") or {}
        _require(path, isinstance(values, dict), f"{node}: ros__parameters: with names and values", values)
        for name, value in values.items():
            _require(path, isinstance(value, _KINDS), f"a number, a word, true or false for {name}", value)
        found[node] = {
            name: value.replace("{role_name}", role_name) if isinstance(value, str) else value
            for name, value in values.items()
        }
    return found


def _require(path: Path, holds: bool, expected: str, found) -> None:
    if not holds:
        raise RuntimeError(f"topics:={path}: expected {expected}, found {str(found)[:80]}")

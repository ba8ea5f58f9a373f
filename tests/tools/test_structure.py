"""The shape of the source: which package may import which, no circles, and nothing too long to be read at once."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "ros2_ws/src"
# From the ground up: a package may import those of the tuple, and no other of ours.
FLOORS = {
    "wm_bundle": (),
    "wm_evaluation": ("wm_bundle",),
    "wm_imagination": ("wm_bundle",),
    "wm_sim": ("wm_bundle",),
    "wm_planner": ("wm_bundle", "wm_imagination"),
    "wm_data": ("wm_bundle", "wm_evaluation"),
    "wm_training": ("wm_bundle", "wm_evaluation", "wm_data"),
    "wm_tools": ("wm_bundle", "wm_evaluation", "wm_data", "wm_planner", "wm_sim"),
}
INTERFACES = {"wm_msgs"}
LONGEST_FILE, LONGEST_FUNCTION = 300, 60
# Of wm_planner: what somebody reads who trusts a vehicle to it, and what launch files start.
CAR_LINES, LAUNCHING_LINES, CAR_ROOMS = 7000, 750, 12


@cache
def modules() -> dict[str, Path]:
    """Every module of our packages by its dotted name; a package by that of its folder."""
    found = {}
    for package in FLOORS:
        for path in sorted((SOURCE / package / package).rglob("*.py")):
            name = ".".join(path.relative_to(SOURCE / package).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text())


@cache
def imports(module: str) -> tuple[tuple[str, str], ...]:
    """(module of ours, name taken from it) of each import, wherever in the file; the name is "" for a whole module."""
    found = []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.append((whole, "") if whole in modules() else (node.module, alias.name))
    return tuple((name, taken) for name, taken in found if name.startswith("wm_"))


def package_of(module: str) -> str:
    return module.partition(".")[0]


def test_packages_import_only_those_below_them():
    wrong = [
        f"{module} imports {name}"
        for module in modules()
        for name, _ in imports(module)
        if package_of(name) not in {package_of(module), *FLOORS[package_of(module)], *INTERFACES}
    ]
    assert not wrong


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: {name for name, _ in imports(module) if name in modules()} - {module} for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_no_module_takes_the_private_names_of_another():
    wrong = [f"{module}: {name}.{taken}" for module in modules() for name, taken in imports(module) if taken[:1] == "_"]
    assert not wrong


def test_every_file_and_function_can_be_read_at_once():
    long = [f"{path}: {len(path.read_text().splitlines())}" for path in modules().values()]
    long = [entry for entry in long if int(entry.rpartition(": ")[2]) > LONGEST_FILE]
    for module in modules():
        for node in ast.walk(tree(module)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                long += [f"{module}.{node.name}: {lines}"] if lines > LONGEST_FUNCTION else []
    assert not long


def count(folder: Path) -> int:
    return sum(len(path.read_text().splitlines()) for path in folder.rglob("*.py"))


def test_what_runs_on_the_car_stays_small():
    folder = SOURCE / "wm_planner/wm_planner"
    launching = count(folder / "launching")
    rooms = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    assert count(folder) - launching <= CAR_LINES and launching <= LAUNCHING_LINES
    assert len(rooms) - 1 <= CAR_ROOMS  # __init__.py is no room


def test_only_commands_of_the_training_package_have_a_main():
    mains = {
        module
        for module in modules()
        for node in tree(module).body
        if isinstance(node, ast.FunctionDef) and node.name == "main" and package_of(module) == "wm_training"
    }
    assert all(module.startswith("wm_training.commands.") for module in mains)

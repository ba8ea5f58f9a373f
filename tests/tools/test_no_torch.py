"""The planner drives, and recordings are converted, where torch is not installed."""

import pkgutil
import subprocess
import sys

import pytest
import wm_data
import wm_evaluation
import wm_planner

PROGRAM = """
import importlib, sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "wm_training"):
            raise ImportError(f"{name} must not be imported")

sys.meta_path.insert(0, Block())
for name in sys.argv[1:]:
    importlib.import_module(name)
assert not any(name.split(".")[0] == "torch" for name in sys.modules)
print(len(sys.argv) - 1)
"""


@pytest.mark.parametrize(
    ("package", "among"),
    [
        (
            wm_planner,
            {"wm_planner.engine.engine", "wm_planner.node.planner_node", "wm_planner.planning.solvers.sampling"},
        ),
        (wm_evaluation, {"wm_evaluation.report", "wm_evaluation.metrics"}),
        (
            wm_data,
            {"wm_data.episodes", "wm_data.conversion.sources.rosbag.reader", "wm_data.conversion.running.runner"},
        ),
    ],
)
def test_no_module_imports_torch(package, among):
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    modules = [module.name for module in found if not module.name.endswith("__main__")]
    assert among <= set(modules)
    result = subprocess.run([sys.executable, "-c", PROGRAM, *modules], capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(len(modules))

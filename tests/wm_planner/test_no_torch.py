"""The planner drives where torch is not installed."""

import pkgutil
import subprocess
import sys

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


def test_no_module_imports_torch():
    modules = [module.name for module in pkgutil.walk_packages(wm_planner.__path__, "wm_planner.")
               if not module.name.endswith("__main__")]
    assert {"wm_planner.engine", "wm_planner.planner_node", "wm_planner.solvers.sampling"} <= set(modules)
    result = subprocess.run([sys.executable, "-c", PROGRAM, *modules], capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(len(modules))

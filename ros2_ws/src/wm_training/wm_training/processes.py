"""A process: its place among those of a run, and what it sets before torch is loaded. Loads no torch."""

import ctypes
import os
import platform
from typing import NamedTuple

from wm_training.errors import TrainingError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


def prepare_process() -> None:
    """Keep freed memory, and let waiting threads soon fall asleep; what the environment already says is kept.

    Tensors of many megabytes are freed and asked for again in every update, and by default the C library gives them
    back to the kernel in between. GNU's OpenMP threads by default burn their core for a while when they wait for each
    other, which makes a machine that others use several times slower; sleeping at once costs an idle one 7 %.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
        library.mallopt(_M_ARENA_MAX, 1)  # threads find each other's freed memory


class Place(NamedTuple):
    """Where this process stands among those of the run, from the environment alone."""

    rank: int
    world_size: int
    local_rank: int
    """Rank among the processes of this machine."""
    local_size: int
    """Processes of the run on this machine, the same number on every machine."""


def place() -> Place:
    """This process's place: what torchrun or srun says, else the only process. Raises TrainingError for nonsense."""
    environment = os.environ
    try:
        if "RANK" in environment and "WORLD_SIZE" in environment:
            world = int(environment["WORLD_SIZE"])
            local_size = int(environment.get("LOCAL_WORLD_SIZE", world))
            found = Place(int(environment["RANK"]), world, int(environment.get("LOCAL_RANK", 0)), local_size)
        # Not SLURM_NTASKS: a batch script that runs the command without srun has it too.
        elif int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
            world, nodes = int(environment["SLURM_STEP_NUM_TASKS"]), int(environment.get("SLURM_STEP_NUM_NODES", "1"))
            if world % nodes:
                raise TrainingError(f"srun started {world} tasks on {nodes} nodes, expected as many on each of them")
            found = Place(int(environment["SLURM_PROCID"]), world, int(environment["SLURM_LOCALID"]), world // nodes)
        else:
            return Place(0, 1, 0, 1)
    except (KeyError, ValueError) as error:
        raise TrainingError(
            f"the variables of torchrun or srun in the environment do not fit together ({error}); start every "
            f"process with one of the two, or unset RANK, WORLD_SIZE and SLURM_STEP_NUM_TASKS"
        ) from None
    if not (0 <= found.rank < found.world_size and 0 <= found.local_rank < found.local_size):
        raise TrainingError(f"the environment says {found}, expected ranks below the number of processes")
    return found


def processor_threads() -> int:
    """Threads for this process: its share of the cores that it may use."""
    granted = os.environ.get("SLURM_CPUS_PER_TASK")
    if granted:
        return int(granted)
    return max(1, len(os.sched_getaffinity(0)) // place().local_size)

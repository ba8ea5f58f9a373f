"""A process: its place among those of a run, and its settings before torch is loaded. Does not load torch."""

import ctypes
import os
import platform
from typing import NamedTuple

from wm_bundle.processes.memory import keep_freed_memory

from wm_training.errors import TrainingError

_M_ARENA_MAX = -8  # malloc.h


def prepare_process() -> None:
    """Keep freed memory, and let waiting threads sleep soon; existing environment variables are kept.

    Large tensors are freed and allocated again in every update, and by default the C library returns them to the kernel
    in between. GNU's OpenMP threads by default spin for a while when they wait for one another, which makes a machine
    shared with others several times slower; sleeping at once costs 7 % on an idle one."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    keep_freed_memory()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)  # threads reuse the memory freed by others


class Place(NamedTuple):
    """This process's place among those of the run, from the environment alone."""

    rank: int
    world_size: int
    local_rank: int
    """Rank among the processes of this machine."""
    local_size: int
    """Processes of the run on this machine, the same number on every machine."""


def place() -> Place:
    """This process's place: from torchrun or srun, else the only process. Raises TrainingError for inconsistent
    values."""
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
    """Threads for this process: its share of the available cores."""
    granted = os.environ.get("SLURM_CPUS_PER_TASK")
    if granted:
        return int(granted)
    return max(1, len(os.sched_getaffinity(0)) // place().local_size)

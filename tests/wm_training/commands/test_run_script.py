"""scripts/run_world_model.sh, with a scheduler's commands played by small scripts, and without a scheduler."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import TINY, flags, largest_difference, read_state, state, tiny_config
from wm_training import WorldModelTrainer
from wm_training.training.checkpoints import read_checkpoint

SCRIPT = Path(__file__).parents[3] / "scripts" / "run_world_model.sh"
# Starts the tasks with the variables that SLURM gives them; after TIME_LIMIT logged updates they all get SIGTERM.
# Returns the highest exit code, as srun does.
SRUN = """#!{python}
import os, subprocess, sys, time
options = dict(item.lstrip("-").split("=") for item in sys.argv[1:] if item.startswith("--") and "=" in item)
command = sys.argv[1 + len(options):]
tasks = int(options["ntasks"])
given = dict(SLURM_STEP_NUM_TASKS=str(tasks), SLURM_STEP_NUM_NODES=options["nodes"], SLURM_STEP_NODELIST="127.0.0.1",
             SLURM_STEP_ID="0", SLURM_CPUS_PER_TASK=options["cpus-per-task"])
running = [subprocess.Popen(command, env={{**os.environ, **given, "SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)}})
           for i in range(tasks)]
limit, table = int(os.environ.get("TIME_LIMIT", 0)), "{table}"
while limit and any(task.poll() is None for task in running):
    if os.path.exists(table) and len(open(table).readlines()) > limit:
        for task in running:
            task.terminate()
        break
    time.sleep(0.02)
sys.exit(max(task.wait() for task in running))
"""


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """A folder on PATH with srun and scontrol; the latter writes down what it is asked for."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def write(name: str, text: str) -> None:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    write("srun", SRUN.format(python=sys.executable, table=tmp_path / "out" / "updates.csv"))
    write("scontrol", f'#!/bin/sh\necho "$@" >> {tmp_path / "asked"}\n')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    for name, value in dict(SLURM_JOB_ID=77, SLURM_CPUS_PER_TASK=4, SLURM_GPUS_ON_NODE=2).items():
        monkeypatch.setenv(name, str(value))
    write.folder = folder
    return write


def run(folder: Path, *arguments: str, first_on_path: Path | None = None, **environment) -> subprocess.CompletedProcess:
    """Run the script in ``folder``."""
    path = os.pathsep.join([*([str(first_on_path)] if first_on_path else []), os.environ["PATH"]])
    variables = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    variables |= {name: str(value) for name, value in environment.items()}
    return subprocess.run(
        ["bash", str(SCRIPT), *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=250
    )


def test_a_job_at_its_time_limit_queues_itself_again_and_ends_as_one_without_a_limit(tmp_path, scheduler):
    config = tiny_config(tmp_path, num_epochs=8, learning_rate=1e-4)
    first = run(tmp_path, *flags(config), first_on_path=scheduler.folder, TIME_LIMIT=5)
    assert first.returncode == 130, first.stderr
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
    step = read_checkpoint(tmp_path / "out" / "last.pt")["step"]
    assert 0 < step < WorldModelTrainer(config).total_steps
    second = run(tmp_path, *flags(config), first_on_path=scheduler.folder, SLURM_RESTART_COUNT=1)
    assert second.returncode == 0, second.stderr
    assert f"from update {step};" in second.stderr and (tmp_path / "asked").read_text() == "requeue 77\n"
    whole = WorldModelTrainer(tiny_config(tmp_path, num_epochs=8, learning_rate=1e-4, output_dir=str(tmp_path / "one")))
    whole.train()
    assert largest_difference(state(whole), read_state(config)) < 1e-5


def test_only_a_stopped_job_queues_itself_again_and_not_for_ever(tmp_path, scheduler):
    for code, restarts, asked in ((0, 0, False), (1, 0, False), (137, 0, False), (130, 3, False), (130, 2, True)):
        scheduler("srun", f"#!/bin/sh\nexit {code}\n")
        ended = run(tmp_path, first_on_path=scheduler.folder, WM_REQUEUES=3, SLURM_RESTART_COUNT=restarts)
        assert ended.returncode == code and (tmp_path / "asked").exists() == asked, (code, restarts)


def test_the_job_asks_for_a_process_for_every_gpu_on_every_machine_with_the_seeds_flags(tmp_path, scheduler):
    scheduler("srun", '#!/bin/sh\nprintf "%s\\n" "$@"\n')
    ended = run(tmp_path, "--batch-size", "8", first_on_path=scheduler.folder, SLURM_JOB_NUM_NODES=3)
    given = ended.stdout.splitlines()
    assert {"--nodes=3", "--ntasks=6", "--ntasks-per-node=2", "--cpus-per-task=2"} <= set(given)
    assert given[given.index("--learning-rate") + 1] == "3e-4" and given[-2:] == ["--batch-size", "8"]


def test_without_a_scheduler_it_trains_here(tmp_path):
    config = tiny_config(tmp_path, num_epochs=1)
    ended = run(tmp_path, *flags(config), CUDA_VISIBLE_DEVICES="")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "best_model.pt").exists()
    found = read_checkpoint(tmp_path / "out" / "last.pt")["config"]
    assert found["batch_size"] == TINY["batch_size"] and found["kl_weight"] == 1.0


def test_without_a_scheduler_several_processes_are_started_by_torchrun(tmp_path):
    config = tiny_config(tmp_path, batch_size=3)
    ended = run(tmp_path, *flags(config), "--dry-run", WM_PROCESSES=2)
    assert ended.returncode != 0 and "batch_size is 3, expected a multiple of 2: 2 processes" in ended.stderr


def test_the_scripts_lines_for_the_scheduler_are_the_seeds_and_what_requeue_needs():
    lines = SCRIPT.read_text().splitlines()
    asked = [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH ")]
    assert asked == [
        "job-name=world_model",
        "gres=gpu:4",
        "cpus-per-task=32",
        "mem=128G",
        "requeue",
        "open-mode=append",
        "signal=TERM@120",
    ]
    commands = [i for i, line in enumerate(lines) if line and not line.startswith("#")]
    assert max(i for i, line in enumerate(lines) if line.startswith("#SBATCH ")) < commands[0]

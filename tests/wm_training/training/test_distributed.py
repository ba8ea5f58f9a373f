import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_training import (
    WITH_POLICY,
    flags,
    largest_difference,
    logged_updates,
    read_state,
    start,
    state,
    tiny_config,
    wait_until,
)
from wm_evaluation.command_line import is_main_process
from wm_training import WorldModelTrainer, processes
from wm_training.errors import TrainingError
from wm_training.model.losses import LOSSES
from wm_training.processes import Place, place
from wm_training.training import distributed
from wm_training.training.checkpoints import read_checkpoint
from wm_training.training.distributed import OneProcess

TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
SRUN = ("SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES", "SLURM_PROCID", "SLURM_LOCALID")


@pytest.fixture
def environment(monkeypatch):
    """Sets the variables of a launcher, after removing those that are there."""

    def given(**variables) -> None:
        for name in (*TORCHRUN, *SRUN, "SLURM_NTASKS", "SLURM_CPUS_PER_TASK"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))

    given()
    return given


def torchrun(config, processes: int = 2) -> list[str]:
    """The command that trains with several processes, on a port that is free."""
    module = ["-m", "wm_training.commands.train", *flags(config)]
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", *module]


def finish(process: subprocess.Popen, log: Path, deadline_s: float = 120.0) -> int:
    """The exit code; kills the whole group and fails at the deadline."""
    try:
        return process.wait(timeout=deadline_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"still running after {deadline_s} s: {log.read_text()}")


def losses(config) -> list[dict[str, float]]:
    """The logged losses and metrics of every update."""
    with open(Path(config.output_dir) / "updates.csv", newline="") as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


def workers(process: subprocess.Popen) -> dict[int, int]:
    """Process number of every rank that torchrun started."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            variables = (folder / "environ").read_text().split("\0")
        except (OSError, ValueError):
            continue
        if parent == process.pid:
            found |= {int(item[5:]): int(folder.name) for item in variables if item.startswith("RANK=")}
    return found


def test_the_place_is_read_from_torchrun_or_srun(environment):
    assert place() == Place(0, 1, 0, 1) and is_main_process()
    environment(RANK=5, WORLD_SIZE=8, LOCAL_RANK=1, LOCAL_WORLD_SIZE=4)
    assert place() == Place(5, 8, 1, 4) and not is_main_process()
    environment(SLURM_STEP_NUM_TASKS=8, SLURM_STEP_NUM_NODES=2, SLURM_PROCID=5, SLURM_LOCALID=1)
    assert place() == Place(5, 8, 1, 4)
    environment(SLURM_NTASKS=4, SLURM_PROCID=0)  # in a batch script, without srun
    assert place() == Place(0, 1, 0, 1)


def test_an_environment_that_makes_no_sense_is_refused(environment):
    environment(RANK="first", WORLD_SIZE=2)
    with pytest.raises(TrainingError, match="torchrun or srun"):
        place()
    environment(RANK=2, WORLD_SIZE=2)
    with pytest.raises(TrainingError, match="ranks below the number"):
        place()
    environment(SLURM_STEP_NUM_TASKS=3, SLURM_STEP_NUM_NODES=2, SLURM_PROCID=0, SLURM_LOCALID=0)
    with pytest.raises(TrainingError, match="3 tasks on 2 nodes"):
        place()


def test_the_cores_are_shared_between_the_processes_of_a_machine(environment):
    cores = len(os.sched_getaffinity(0))
    assert processes.processor_threads() == cores
    environment(RANK=0, WORLD_SIZE=cores, LOCAL_RANK=0, LOCAL_WORLD_SIZE=cores)
    assert processes.processor_threads() == 1
    environment(SLURM_CPUS_PER_TASK=8)
    assert processes.processor_threads() == 8


def test_every_rank_gets_its_rows_and_a_batch_that_cannot_be_shared_is_refused():
    ranks = OneProcess(torch.device("cpu"))
    assert ranks.rows(12) == slice(0, 12)
    ranks.world_size, ranks.rank = 3, 1
    assert ranks.rows(12) == slice(4, 8)
    with pytest.raises(TrainingError, match="batch_size is 12, expected a multiple of 24: 3 processes times .* 8"):
        ranks.rows(12, parts=8)


def test_two_processes_compute_what_one_does_with_the_same_global_batch(tmp_path):
    settings = dict(gradient_accumulation=2, policy_learning=True, learning_rate=3e-4)
    alone = tiny_config(tmp_path, output_dir=str(tmp_path / "alone"), **settings)
    shared = tiny_config(tmp_path, output_dir=str(tmp_path / "shared"), **settings)
    log = tmp_path / "log"
    process = start(torchrun(shared), log)
    trainer = WorldModelTrainer(alone)
    trainer.train()
    assert finish(process, log) == 0, log.read_text()
    assert largest_difference(state(trainer), read_state(shared)) < 1e-5
    assert len(losses(alone)) == len(losses(shared)) == trainer.total_steps
    for one, two in zip(losses(alone), losses(shared), strict=True):
        assert one.keys() == two.keys() and len(one) > len(LOSSES)
        for name in (*(f"train/{name}" for name in LOSSES), "train/gradient_norm"):
            if name in one:
                assert two[name] == pytest.approx(one[name], rel=1e-5, abs=1e-5), name
    assert "train/actor" in losses(shared)[-1]
    said = log.read_text()
    assert said.count("done, best model in") == 1, "only rank 0 speaks"


def test_a_signal_to_one_process_stops_all_at_one_update_and_one_process_can_go_on(tmp_path):
    config, log = tiny_config(tmp_path, num_epochs=100_000, **WITH_POLICY), tmp_path / "log"
    process = start(torchrun(config), log)
    wait_until(lambda: logged_updates(config) > 5, process, log)
    os.kill(workers(process)[1], signal.SIGTERM)
    assert finish(process, log, deadline_s=60) != 0
    step = read_checkpoint(tmp_path / "out" / "last.pt")["step"]
    assert step % 10 == 0 and f"stopped at update {step}; the same command continues" in log.read_text()
    trainer = WorldModelTrainer(config)
    trainer.load_checkpoint(tmp_path / "out" / "last.pt")
    assert trainer.step == step
    trainer.learner.update(trainer.sample(step))


def test_one_process_never_loads_fabric():
    code = "import sys, wm_training.training.trainer; sys.exit('lightning_fabric' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=60).returncode == 0
    sources = Path(distributed.__file__).parent.glob("*.py")
    assert [file.name for file in sources if "lightning" in file.read_text()] == ["distributed.py"]


def test_processes_that_begin_at_different_updates_are_refused(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path))
    trainer.ranks.gather = lambda steps: torch.tensor([int(steps), 40])  # another machine found a last.pt
    with pytest.raises(TrainingError, match=r"begin at updates \[0, 40\]: is output_dir one folder"):
        trainer.train()
    assert not (tmp_path / "out").exists()

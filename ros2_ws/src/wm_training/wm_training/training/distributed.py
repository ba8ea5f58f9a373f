"""Training with several processes: Lightning Fabric's DDP under torchrun or srun. The only file that imports it.

A process is called a rank. Every rank uses its rows of the same global batch, and gradients are averaged, so that N
ranks compute the same as one process (up to rounding). Only rank 0 writes files.
"""

import logging
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import torch
from torch import Tensor, nn

from wm_training.errors import TrainingError
from wm_training.processes import Place, place

DEADLINE = timedelta(minutes=30)
"""Longest time a rank waits for the others: rank 0 validates and saves while they wait."""


def choose_device(name: str) -> torch.device:
    """The device to train on; auto uses a GPU if available, a separate one for each process of a machine.

    Raises TrainingError for a missing device.
    """
    here = place()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainingError(f"device is {name!r}, expected auto, cpu, cuda or cuda:N") from None
    if device.type != "cuda":
        return device
    if not torch.cuda.is_available():
        raise TrainingError(f"device is {name!r}, but torch {torch.__version__} finds no GPU; use auto or cpu")
    count = torch.cuda.device_count()
    if here.world_size == 1:
        index = device.index or 0
    elif device.index is not None:
        raise TrainingError(
            f"device is {name!r}, expected auto, cpu or cuda: {here.world_size} processes share the run"
        )
    else:
        index = here.local_rank if count > 1 else 0  # a scheduler may expose only its own GPU to each process
    if index >= count:
        raise TrainingError(f"process {here.local_rank} of this machine needs GPU {index}, but torch finds {count}")
    return torch.device("cuda", index)


class OneProcess:
    """The only process of a run, and the interface of the processes for the trainer."""

    rank, world_size = 0, 1

    def __init__(self, device: torch.device):
        self.device = device

    @property
    def main(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def rows(self, batch_size: int, parts: int = 1) -> slice:
        """This process's rows of the global batch. Raises TrainingError unless every rank's share has ``parts``."""
        if batch_size % (self.world_size * parts):
            raise TrainingError(
                f"batch_size is {batch_size}, expected a multiple of {self.world_size * parts}: "
                f"{self.world_size} processes times gradient_accumulation {parts}"
            )
        share = batch_size // self.world_size
        return slice(self.rank * share, (self.rank + 1) * share)

    def wrap(self, model: nn.Module) -> nn.Module:
        """The module whose forward starts the exchange of gradients."""
        return model

    def reduction(self, module: nn.Module, wanted: bool) -> AbstractContextManager:
        """Within the block, backward exchanges gradients only if ``wanted``: once for all parts of a batch."""
        return nullcontext()

    def backward(self, loss: Tensor, gradient: Tensor) -> None:
        """Gradients of ``loss``, times ``gradient``."""
        loss.backward(gradient)

    def gather(self, tensor: Tensor) -> Tensor:
        """The rows (M, …) of all ranks, (world · M, …)."""
        return tensor

    def mean(self, metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Numbers averaged over the ranks."""
        return dict(metrics)

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return flag

    def barrier(self) -> None:
        """Wait until all ranks are here."""


class SeveralProcesses(OneProcess):
    """One rank of several, started by torchrun or srun; gloo on processors, NCCL on GPUs."""

    def __init__(self, device: torch.device):
        super().__init__(device)
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments import TorchElasticEnvironment
        from lightning_fabric.strategies import DDPStrategy

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        here = place()
        self.rank, self.world_size = here.rank, here.world_size
        if "RANK" not in os.environ:
            _speak_torchrun(here)
        devices = [device] * here.local_size
        if device.type == "cuda" and torch.cuda.device_count() > 1:
            devices = [torch.device("cuda", index) for index in range(here.local_size)]
        strategy = DDPStrategy(
            parallel_devices=devices,
            cluster_environment=TorchElasticEnvironment(),
            timeout=DEADLINE,
            forward_sync_buffers=False,  # every rank computes the same ones
            gradient_as_bucket_view=True,
        )
        self._fabric = Fabric(
            accelerator=device.type, strategy=strategy, devices=1, num_nodes=here.world_size // here.local_size
        )
        self._fabric.launch()

    def wrap(self, model: nn.Module) -> nn.Module:
        return self._fabric.setup_module(model, move_to_device=False)

    def reduction(self, module: nn.Module, wanted: bool) -> AbstractContextManager:
        return self._fabric.no_backward_sync(module, enabled=not wanted)

    def backward(self, loss: Tensor, gradient: Tensor) -> None:
        self._fabric.backward(loss, gradient)

    def gather(self, tensor: Tensor) -> Tensor:
        gathered = [torch.empty_like(tensor) for _ in range(self.world_size)]
        torch.distributed.all_gather(gathered, tensor)
        return torch.cat(gathered)

    def mean(self, metrics: Mapping[str, Tensor]) -> dict[str, Tensor]:
        stacked = torch.stack([value.detach().float() for value in metrics.values()])
        return dict(zip(metrics, self._fabric.all_reduce(stacked, reduce_op="mean").unbind(), strict=True))

    def any(self, flag: bool) -> bool:
        return bool(self._fabric.all_reduce(torch.tensor(float(flag), device=self.device), reduce_op="sum") > 0)

    def barrier(self) -> None:
        self._fabric.barrier()


def connect(device: torch.device) -> OneProcess:
    """Join the other processes of the run, if there are any."""
    return SeveralProcesses(device) if place().world_size > 1 else OneProcess(device)


def _speak_torchrun(here: Place) -> None:
    """Under srun: set the variables that torchrun would have set, where the user has not."""
    from lightning_fabric.plugins.environments import SLURMEnvironment

    environment = os.environ
    nodes = environment.get("SLURM_STEP_NODELIST", environment.get("SLURM_NODELIST", "127.0.0.1"))
    # Every rank must choose the same port; jobs and steps that share a machine should not.
    number = int(environment.get("SLURM_JOB_ID", 0)) * 7 + int(environment.get("SLURM_STEP_ID", 0))
    environment.setdefault("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(nodes))
    environment.setdefault("MASTER_PORT", str(15000 + number % 10000))
    environment["GROUP_RANK"] = str(here.rank // here.local_size)
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    environment.update({name: str(value) for name, value in zip(names, here, strict=True)})

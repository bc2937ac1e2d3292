"""Data-parallel training under torchrun: every rank reads the same batches, takes its rows, and sums one flat gradient.

All sums run in rank order on every rank, so all ranks hold the same bits, and a run is bitwise repeatable for the
same number of processes and threads; against one process it is equal to rounding.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from seqloom.nn.stateful import Stateful
from seqloom.training.trees import leaves, map_leaves
from seqloom_runtime.errors import SettingError, TrainingError

__all__ = ["World", "join_world"]


class World:
    """The processes that train together; with size 1 nothing is sent."""

    def __init__(self, rank: int = 0, size: int = 1):
        """Rank 0 writes and reports."""
        self.rank, self.size = rank, size

    def shard(self, batch: Any) -> tuple[Any, float]:
        """This rank's rows of a batch, and their share of all rows; (None, 0) where there are fewer rows than ranks.

        Rows are split by index into contiguous parts that differ by one row at most: ⌈rows·rank/size⌉ up to
        ⌈rows·(rank+1)/size⌉. Raises SettingError where the tensors of the batch don't agree on their number of rows.
        """
        sizes = {path: len(leaf) for path, leaf in leaves(batch) if leaf.ndim}
        if len(set(sizes.values())) != 1:
            found = ", ".join(f"{path}: {rows}" for path, rows in sizes.items()) or "no tensor"
            raise SettingError(
                "data-parallel training splits a batch by its rows, the first axis of each tensor; they must "
                f"agree, found {found}."
            )
        rows = next(iter(sizes.values()))
        first, last = self._rows(rows)
        if first == last:
            return None, 0.0
        return map_leaves(batch, lambda leaf: leaf[first:last] if leaf.ndim else leaf), (last - first) / rows

    @contextlib.contextmanager
    def carried(self, module: nn.Module, batch: Any) -> Iterator[None]:
        """While the block runs, modules that carry a state read that of this rank's rows; then all ranks have all."""
        parts = [part for part in module.modules() if isinstance(part, Stateful)]
        rows = next((len(leaf) for _, leaf in leaves(batch) if leaf.ndim), 0) if parts else 0
        for part in parts:
            part.rows = self._rows(rows)
        yield
        for part in parts:
            own = part.states()
            part.rows = None
            for whole, mine in zip(part.states(), [piece.clone() for piece in own]):
                # Zeros but for this rank's rows, so that the sum puts the pieces together.
                spread = torch.zeros_like(whole)
                axis = next((k for k, size in enumerate(mine.shape) if size != whole.shape[k]), 0)
                first, last = self._rows(whole.shape[axis])
                spread.narrow(axis, first, last - first).copy_(mine)
                whole.copy_(self._sum(spread.reshape(-1)).view(whole.shape))

    def _rows(self, rows: int) -> tuple[int, int]:
        """The first of this rank's rows, and the first behind them."""
        # -(-a // b) is the ceiling in whole numbers: no rounding can give a row to two ranks or to none.
        return -(-rows * self.rank // self.size), -(-rows * (self.rank + 1) // self.size)

    def sum_gradients(self, parameters: Sequence[nn.Parameter], numbers: Sequence[float]) -> list[float]:
        """Replace each gradient by its sum over the ranks; returns the sums of `numbers`.

        One flat vector holds the gradients, a mark for each parameter that has one, and the numbers. A parameter
        without a gradient on any rank stays without, as in one process.
        """
        wide = any(p.dtype == torch.float64 for p in parameters)
        # One dtype for the flat vector: half types are summed in float32.
        kind = torch.float64 if wide else torch.float32
        marks = [0.0 if p.grad is None else 1.0 for p in parameters]
        # A branch that only one rank took leaves gradients None on the others; all must send vectors of one length.
        parts = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1).to("cpu", kind) for p in parameters]
        total = self._sum(torch.cat([*parts, torch.tensor([*marks, *numbers], dtype=kind)]))
        start = 0
        used = total[total.numel() - len(numbers) - len(marks) :].tolist()
        for parameter, mark in zip(parameters, used):
            # None where no rank has a gradient: weight decay and moments would move a weight whose gradient is zero.
            piece = total[start : start + parameter.numel()].view(parameter.shape)
            parameter.grad = piece.to(parameter.device, parameter.dtype) if mark else None
            start += parameter.numel()
        return used[len(marks) :]

    def share(self, tensors: Mapping[str, Tensor]) -> None:
        """Give every rank the tensors of rank 0, in place."""
        if self.size > 1:
            for tensor in tensors.values():
                carrier = tensor.detach().to("cpu").contiguous()
                torch.distributed.broadcast(carrier, 0)
                with torch.no_grad():
                    tensor.copy_(carrier)

    def first(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """The numbers of rank 0, by the same names."""
        if self.size == 1:
            return dict(numbers)
        # float64, because metrics are Python floats and must be the same bits as on rank 0.
        carrier = torch.tensor(list(numbers.values()), dtype=torch.float64)
        torch.distributed.broadcast(carrier, 0)
        return dict(zip(numbers, carrier.tolist()))

    def gather(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """The uint8 tensors of every rank, which must agree on names and sizes, on every rank."""
        if self.size == 1:
            return [dict(tensors)]
        flat = torch.cat([t.reshape(-1) for t in tensors.values()])
        every = [torch.empty_like(flat) for _ in range(self.size)]
        torch.distributed.all_gather(every, flat)
        sizes = [t.numel() for t in tensors.values()]
        return [dict(zip(tensors, one.split(sizes))) for one in every]

    def agree(self, number: int, meaning: str) -> None:
        """Raise TrainingError where `number` is not the same on all ranks."""
        if self.size > 1:
            every = [torch.empty(1, dtype=torch.int64) for _ in range(self.size)]
            torch.distributed.all_gather(every, torch.tensor([number]))
            found = [int(one) for one in every]
            if len(set(found)) > 1:
                raise TrainingError(
                    f"The ranks don't agree on {meaning}: {found}; all must see the same directory and data."
                )

    def _sum(self, flat: Tensor) -> Tensor:
        every = [torch.empty_like(flat) for _ in range(self.size)]
        torch.distributed.all_gather(every, flat)
        # all_reduce sums in an order of gloo's choice; gathered and added by rank the bits are the same on all and in
        # every run.
        total = every[0]
        for other in every[1:]:
            total += other
        return total


@contextlib.contextmanager
def join_world(patience: timedelta = timedelta(minutes=30)) -> Iterator[World]:
    """The world of torchrun's RANK and WORLD_SIZE, joined over gloo; a process group that exists is used as it is.

    patience: how long a rank waits for the others. Raises SettingError where the variables are incomplete.
    """
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        yield World(distributed.get_rank(), distributed.get_world_size())
        return
    # Before anything of torch.distributed is set up: one process must cost nothing.
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield World()
        return
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise SettingError(f"WORLD_SIZE is set but {missing[0]} is not: start data-parallel training with torchrun.")
    # gloo: the sums travel as CPU tensors, which NCCL doesn't take.
    distributed.init_process_group("gloo", timeout=patience)
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()

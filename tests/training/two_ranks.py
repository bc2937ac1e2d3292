"""One of two data-parallel processes; run by test_distributed with RANK and WORLD_SIZE set.

Arguments: the folder for the results, and one free port for each scenario.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from small_runs import SmallNet, list_of_batches, loss, train, validate, weight_bits
from torch import nn

from seqloom.errors import Interrupted, SettingError, TrainingError
from seqloom.nn import GRU, Stateful
from seqloom.training import FitSettings, fit
from seqloom_runtime.files import write_json

rank = int(os.environ.get("RANK", "0"))


def penalty(module: Any) -> torch.Tensor:
    return 0.05 * (module.first.weight.square().sum() + module.second.weight.square().sum())


def plain_net() -> SmallNet:
    net = SmallNet(dropout=0.0, norm=False)
    net.spare = nn.Linear(2, 2)  # never used: its weights must not decay
    nn.init.constant_(net.spare.weight, 0.7)
    nn.init.constant_(net.spare.bias, 0.3)
    return net


def plain(port: str) -> dict[str, Any]:
    """Without randomness, to be compared with one process; joined by `fit` itself."""
    os.environ["MASTER_PORT"] = port
    told: list[Any] = []
    net, history = train(
        plain_net(),
        batches=list_of_batches(size=7) + list_of_batches(rows=1),
        optimizer="adamw",
        weight_decay=0.1,
        clip_norm=0.8,
        penalty=penalty,
        validate=validate,
        on_event=told.append,
        stop=lambda row: rank == 1,  # rank 0 alone is asked, so nothing stops
    )
    weights = {name: tensor.flatten().tolist() for name, tensor in net.state_dict().items()}
    return {"weights": weights, "history": history.rows(), "told": len(told)}


class CarryingNet(nn.Module):
    """A GRU whose state goes on from batch to batch, of rows that the ranks share unequally."""

    def __init__(self) -> None:
        super().__init__()
        self.carried = Stateful(GRU(2, 4, seed=3).double(), rows=5)
        self.output = nn.Linear(4, 1).double()
        nn.init.constant_(self.output.weight, 0.4)
        nn.init.constant_(self.output.bias, 0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.carried(x))


def carrying() -> dict[str, Any]:
    """Six batches of running rows, twice; float64 and plain steps, so that what is shared wrongly shows."""
    net, generator = CarryingNet(), torch.Generator().manual_seed(8)
    x = torch.randn(6, 5, 7, 2, dtype=torch.float64, generator=generator)
    y = torch.randn(6, 5, 7, 1, dtype=torch.float64, generator=generator)
    settings = FitSettings(epochs=2, optimizer="sgd", learning_rate=0.5, clip_norm=None)
    fit(net, list(zip(x, y, strict=True)), lambda m, batch: (m(batch[0]) - batch[1]).square().mean(), settings=settings)
    return {name: tensor.flatten().tolist() for name, tensor in net.state_dict().items()}


class DriftingNet(SmallNet):
    """Adds the running mean of its inputs: a buffer that each rank's rows change and that the forward pass reads."""

    def __init__(self, seed: int = 0):
        super().__init__(seed)
        self.register_buffer("level", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.level = 0.8 * self.level + 0.2 * x.detach().mean()
        return super().forward(x) + self.level


def noisy(directory: Path | None = None) -> dict[str, Any]:
    """With dropout from both kinds of streams and a normalising buffer."""
    drawn: list[list[list[bool]]] = []
    net = DriftingNet()
    net.first.register_forward_pre_hook(lambda part, inputs: drawn.append((inputs[0][:3] == 0).tolist()))
    _, history = train(net, validate=validate, directory=directory, checkpoint_every=2)
    return {"bits": weight_bits(net), "history": history.to_csv(), "drawn": drawn[:9]}


def dying(at: int, action: Any) -> Any:
    calls = 0

    def loss_function(module: nn.Module, batch: Any) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == at:
            action()
        return loss(module, batch)

    return loss_function


def stop() -> None:
    raise KeyError("stop here")


def resumed(folder: Path) -> dict[str, Any]:
    """Two stops, one by an exception, one by Ctrl-C on rank 1 alone, then to the end."""
    directory = folder / "checkpoints"
    settings = FitSettings(epochs=3, learning_rate=0.02, checkpoint_every=2)
    words = ""
    try:
        fit(
            DriftingNet(), list_of_batches(), dying(12, stop), settings=settings, validate=validate, directory=directory
        )
    except KeyError:
        pass
    else:
        raise AssertionError("not stopped")

    def press() -> None:
        if rank == 1:
            signal.raise_signal(signal.SIGINT)

    try:
        fit(
            DriftingNet(seed=rank),
            list_of_batches(),
            dying(4, press),
            settings=settings,
            validate=validate,
            directory=directory,
            resume=True,
        )
    except Interrupted as error:
        words = str(error)
    torch.distributed.barrier()
    net, history = train(DriftingNet(seed=3), validate=validate, directory=directory, checkpoint_every=2, resume=True)
    return {"bits": weight_bits(net), "history": history.to_csv(), "words": words}


def refusals() -> dict[str, Any]:
    """What both ranks say to batches that can't be split, and to a NaN that only one of them meets."""
    found = {}
    x, y = list_of_batches()[0]
    spoiled = x.clone()
    spoiled[-1, 0] = float("nan")
    cases = {"rows": [(x, y[:3])], "kind": [(x, y, {1, 2})], "nothing": [()], "nan": [(x, y), (spoiled, y)]}
    for name, batches in cases.items():
        try:
            train(batches=batches)
        except (SettingError, TrainingError) as error:
            found[name] = str(error)
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    os.fsync = lambda descriptor: None  # no power is cut here
    results: dict[str, Any] = {"plain": plain(sys.argv[2])}
    os.environ["MASTER_PORT"] = sys.argv[3]
    torch.distributed.init_process_group("gloo")
    results["noisy"] = noisy()
    results["again"] = noisy(folder / "whole")
    results["resumed"] = resumed(folder)
    results["refusals"] = refusals()
    results["carrying"] = carrying()
    torch.distributed.destroy_process_group()
    write_json(folder / f"rank{rank}.json", results)


if __name__ == "__main__":
    main()

"""One run of one program in one process: `python worker.py PROGRAM KIND --side ours --do time`.

The last line that it prints is JSON. Sides: `torch`, `ours` (`seqloom.accelerate()` before all else) and `converted`
(`seqloom.nn.accelerate` on what torch's own layers were trained as). With `torch`, seqloom must not even be there.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import json
import os
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

__all__ = ["MODULES", "main"]

MODULES = {
    "Darts": "of_darts",
    "neuralforecast": "of_neuralforecast",
    "pytorch-forecasting": "of_pytorch_forecasting",
    "flair": "of_flair",
    "plain: names": "plain_names",
    "plain: words": "plain_words",
    "plain: series": "plain_series",
}


class Share:
    """Processor seconds inside the recurrent layers, forwards and backwards, while it is at work."""

    def __init__(self) -> None:
        self._clock = time.process_time
        self.seconds, self._began, self._back = 0.0, 0.0, 0.0
        self._hooked: set[int] = set()
        before = nn.modules.module.register_module_forward_pre_hook(self._before)
        after = nn.modules.module.register_module_forward_hook(self._after)
        self.handles = [before, after]

    def _before(self, module: nn.Module, given: Any) -> None:
        if isinstance(module, nn.RNNBase):
            self._began = self._clock()

    def _after(self, module: nn.Module, given: Any, result: Any) -> None:
        if not isinstance(module, nn.RNNBase):
            return
        self.seconds += self._clock() - self._began
        first = next(module.parameters())
        if id(first) not in self._hooked:
            self._hooked.add(id(first))
            first.register_post_accumulate_grad_hook(self._end)
        output, state = result
        output = output.data if isinstance(output, PackedSequence) else output
        for tensor in (output, *(state if isinstance(state, tuple) else (state,))):
            if tensor.requires_grad:
                tensor.register_hook(self._start)

    def _start(self, gradient: torch.Tensor) -> None:
        self._back = self._back or self._clock()

    def _end(self, parameter: torch.Tensor) -> None:
        if self._back:
            self.seconds += self._clock() - self._back
        self._back = 0.0


def timed(make: Callable[[int], Any], epochs: int) -> dict[str, Any]:
    """Seconds of a fit after a short one."""
    make(1).fit()
    program = make(epochs)
    began, worked = time.perf_counter(), time.process_time()
    losses = program.fit()
    return {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - worked,
        "losses": losses,
    }


def shared(make: Callable[[int], Any], epochs: int) -> dict[str, Any]:
    """What share of a fit is spent in the recurrent layers."""
    make(1).fit()
    program, share = make(epochs), Share()
    began = time.process_time()
    program.fit()
    return {"share": share.seconds / (time.process_time() - began)}


def fitted(program: Any, side: str, folder: Path) -> dict[str, Any]:
    """Losses, forecasts, and whether copies, pickles and undoing leave the forecasts as they are."""
    found: dict[str, Any] = {"losses": program.fit(), "layers": kinds(program.network())}
    found["said"] = None
    if side == "converted":
        from seqloom.nn import accelerate

        done = accelerate(program.network())
        found |= {"said": str(done), "layers": kinds(program.network())}
    first = np.asarray(program.forecasts())
    found["forecasts"] = first.tolist()
    program.save(folder)
    network = program.network()
    layer = next(module for module in network.modules() if isinstance(module, nn.RNNBase))
    try:
        twin = copy.deepcopy(network)
    except RuntimeError:  # pytorch-forecasting's network keeps a loss of its training, and torch copies none
        twin = copy.deepcopy(layer)
    found["copied"] = kinds(twin)
    found["named"] = b"seqloom" in pickle.dumps(layer)
    if side != "torch":
        from seqloom.nn import accelerated

        for module in network.modules():
            accelerated.restore(module)
        found["undone"] = kinds(network)
        found["undone_forecasts"] = np.asarray(program.forecasts()).tolist()
    return found


def loaded(program: Any, folder: Path) -> dict[str, Any]:
    """Forecasts of what another process saved."""
    program.load(folder)
    layers = kinds(program.network())
    return {
        "forecasts": np.asarray(program.forecasts()).tolist(),
        "layers": layers,
        "seqloom": "seqloom" in sys.modules,
    }


def kinds(network: nn.Module) -> list[str]:
    """Modules that the classes of the recurrent layers come from, and whether the engine runs them."""
    layers = [module for module in network.modules() if isinstance(module, nn.RNNBase)]
    return [
        f"{type(m).__module__}.{type(m).__name__}" + ":engine" * any(c.__name__ == "Engine" for c in type(m).__mro__)
        for m in layers
    ]


def main() -> None:
    """Do what is asked, in the folder that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", choices=MODULES)
    parser.add_argument("kind", choices=("GRU", "LSTM", "RNN"))
    parser.add_argument("--side", choices=("torch", "ours", "converted"), required=True)
    parser.add_argument("--do", choices=("time", "share", "fit", "load"), required=True)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--folder", type=Path, required=True, help="where it works, and saves or loads a model")
    asked = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    asked.folder.mkdir(parents=True, exist_ok=True)
    folder = asked.folder.resolve()
    os.chdir(folder)
    running = None
    if asked.side == "ours":
        import seqloom

        running = seqloom.accelerate()
    program = importlib.import_module(MODULES[asked.program])

    def make(epochs: int) -> Any:
        return program.Program(asked.kind, asked.units, epochs)

    if asked.do in ("time", "share"):
        found = (timed if asked.do == "time" else shared)(make, asked.epochs)
    elif asked.do == "fit":
        found = fitted(make(asked.epochs), asked.side, folder)
    else:
        found = loaded(make(asked.epochs), folder)
    print(json.dumps(found | {"running": None if running is None else str(running)}))


if __name__ == "__main__":
    main()

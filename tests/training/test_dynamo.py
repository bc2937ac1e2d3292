"""What a run that compiles nothing must not import; torch.compile finds torch's optimizers as they were."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import numpy as np
import torch
from seqloom.data import Panel
from seqloom.nn import GRU, Highway, to_torch
from seqloom.nn.images.layers import conv
from seqloom.tasks.forecast import Forecaster, compare_forecasters
from seqloom.training.dynamo import optimizers_without_dynamo

panel = Panel.from_numpy(np.sin(np.arange(300) / 4), ["load"])
compare_forecasters(panel, ["naive"], {"lookback": 8, "horizon": 2}, target="load")
for model in ("linear", "gru", "lstm"):  # networks whose weights are counted, and not yet built
    Forecaster(model=model, lookback=8, horizon=2).check(panel)
Forecaster(model="gru", lookback=8, horizon=2, epochs=1, units=2).fit(panel)  # whose layers are made without a draw
to_torch(GRU(2, 3, seed=1)), Highway(2), conv(1, 1, 3, torch.Generator())

class OneCall(torch.optim.Adam):
    def step(self):
        pass

optimizers_without_dynamo()
optimizer = OneCall(torch.nn.Linear(2, 2).parameters())
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
loaded = [name for name in ("torch._dynamo", "sympy", "scipy.stats", "pandas") if name in sys.modules]
assert not loaded, loaded

import torch._dynamo
optimizer.zero_grad()
optimizers_without_dynamo()
found = vars(torch.optim.Optimizer.zero_grad.__wrapped__)["__dynamo_disable"]
assert "dynamo" in found.__module__ and "seqloom" not in found.__module__, found
optimizer.zero_grad()
"""


def test_dynamo_and_sympy_are_loaded_by_who_compiles_alone() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

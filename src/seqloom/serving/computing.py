"""What computes: the networks of loaded models as functions of arrays, and with how many threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["network_of", "with_threads"]


def network_of(network: Any) -> Callable[[np.ndarray, np.ndarray | None], np.ndarray]:
    """A forecaster's network as a function of windows (B, L, I) and what is known ahead (B, K, F): (B, K) float64."""
    import torch

    network = network.eval()

    def run(x: np.ndarray, future: np.ndarray | None) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(x), None if future is None else torch.from_numpy(future)).double().numpy()

    return run


def with_threads(count: int) -> None:
    """Compute with so many threads from now on."""
    # The compiled engine asks torch where that is loaded, else this variable; torch reads it when it loads.
    os.environ["OMP_NUM_THREADS"] = str(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)

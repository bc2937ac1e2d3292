"""With how many threads models compute."""

from __future__ import annotations

import os
import sys

__all__ = ["with_threads"]


def with_threads(count: int) -> None:
    """Compute with so many threads from now on."""
    # The compiled engine asks torch where that is loaded, else this variable.
    os.environ["OMP_NUM_THREADS"] = str(count)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)

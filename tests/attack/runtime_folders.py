"""Damaged model folders as the runtime reads them, without torch: refused by its exceptions, or they predict."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import seqloom_runtime
from seqloom_runtime.errors import SeqloomError

from . import WrongResult
from .model_folders import Saved, bounded, damage, saved_model

__all__ = ["ask", "attack"]

_ESTIMATORS_ALONE = ("evaluate", "forecast")  # what a predictor is not asked


class _Asked:
    """A predictor that is silent where only an estimator has an answer."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def __getattr__(self, name: str) -> Any:
        if name in _ESTIMATORS_ALONE and not hasattr(self._model, name):
            return lambda *_, **__: None
        return getattr(self._model, name)


def attack(kind: str, seed: int) -> None:
    """Damage a folder of that kind, load and ask it; raises what the runtime raises, with the damage told."""
    saved, draw = saved_model(kind), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        said = damage(Path(folder), saved, draw)
        try:
            ask(Path(folder), saved)
        except BaseException as fault:
            fault.add_note(f"{kind}, by the runtime: {said}")
            raise


def ask(folder: Path, saved: Saved) -> None:
    """Load the folder by the runtime and ask what its kind is asked, within bounds."""
    try:
        with bounded():
            saved.use(_Asked(seqloom_runtime.load(folder)))
    except SeqloomError as refused:
        if "Unable to allocate" in str(refused) or "allocate memory" in str(refused):
            raise WrongResult("memory was asked for before the sizes were looked at") from refused
        raise

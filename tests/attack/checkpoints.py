"""Damaged checkpoints with checksums that match: a run goes on from them, or refuses in one sentence."""

from __future__ import annotations

import contextlib
import functools
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from tests.training import small_runs

from seqloom.data import ShuffledOrigins
from seqloom.training import FitSettings, fit
from seqloom_runtime.files import sha256_bytes

from .model_folders import bounded
from .mutations import Arrays, Header, blob_of, damage_arrays, damage_json, damage_table

__all__ = ["attack", "damaged"]

_OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd", "nt-asgd")


def attack(seed: int) -> None:
    """Damage a checkpoint and go on from it; raises what the training loop raises."""
    draw = random.Random(seed)
    optimizer, endless = draw.choice(_OPTIMIZERS), draw.random() < 0.5
    files = _saved(optimizer, endless)
    with tempfile.TemporaryDirectory() as folder:
        said = damaged(Path(folder), files, draw)
        try:
            with bounded():
                _train(Path(folder), optimizer, endless, epochs=3, resume=True)
        except BaseException as fault:  # whatever it is, it is told with the damage that brought it about
            fault.add_note(f"{optimizer}, {'endless' if endless else 'list'}: {said}")
            raise


def damaged(folder: Path, files: dict[str, bytes], draw: random.Random) -> str:
    """Write the files of a folder of checkpoints with the newest one damaged; returns in words what was done."""
    latest = json.loads(files["latest"])
    name = latest["checkpoints"][0]["name"]
    values: Header = json.loads(files[f"{name}.json"])
    arrays: Arrays = safetensors.numpy.load(files[f"{name}.safetensors"])
    said = [
        damage_json(values, draw) if draw.random() < 0.6 else damage_arrays(arrays, draw)
        for _ in range(draw.choice((1, 1, 1, 2)))
    ]
    blob = blob_of(arrays, functools.partial(damage_table, draw=draw) if draw.random() < 0.1 else None)
    if draw.random() < 0.95:
        values["tensors_sha256"] = sha256_bytes(blob)
    text = json.dumps(values).encode()
    latest["checkpoints"][0]["sha256"] = sha256_bytes(text)
    if draw.random() < 0.1:
        said.append(damage_json(latest, draw))
    for other, content in files.items():
        (folder / other).write_bytes(content)
    (folder / f"{name}.json").write_bytes(text)
    (folder / f"{name}.safetensors").write_bytes(blob)
    (folder / "latest").write_text(json.dumps(latest))
    return "; ".join(said)


@functools.cache
def _saved(optimizer: str, endless: bool) -> dict[str, bytes]:
    """The files that a run leaves that was stopped in its second epoch."""
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(_Stop):
            _train(Path(folder), optimizer, endless, epochs=3, stop_after=_STEPS + 2)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.name != ".lock"}


_STEPS = 4


class _Stop(Exception):
    """Ends a run between two steps."""


class _Shuffled:
    """Batches in the order that the estimators train in, whose position a checkpoint holds."""

    def __init__(self) -> None:
        self.x, self.y = small_runs.make_data()
        self.order = ShuffledOrigins(np.arange(len(self.x)), 8, 3)

    def __iter__(self) -> _Shuffled:
        return self

    def __next__(self) -> tuple[Any, Any]:
        rows = next(self.order)
        return self.x[rows], self.y[rows]

    def state(self) -> dict[str, int]:
        return self.order.state()

    def restore(self, state: dict[str, int]) -> None:
        self.order.restore(state)


def _train(
    folder: Path, optimizer: str, endless: bool, *, epochs: int, resume: bool = False, stop_after: int | None = None
) -> None:
    settings = FitSettings(
        epochs=epochs,
        optimizer=optimizer,
        learning_rate=0.01,
        steps_per_epoch=_STEPS if endless else None,
        checkpoint_every=1,
        monitor="loss",
    )
    batches: Any = _Shuffled() if endless else small_runs.list_of_batches(28, 7)
    steps = 0

    def loss(module: Any, batch: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == stop_after:
            raise _Stop
        return small_runs.loss(module, batch)

    fit(
        small_runs.SmallNet(),
        batches,
        loss=loss,
        validate=small_runs.validate,
        settings=settings,
        directory=folder,
        resume=resume,
    )

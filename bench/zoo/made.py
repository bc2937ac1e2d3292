"""What a maker hands over, and how it becomes a folder of the zoo: the model folder and the card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import seqloom
from seqloom.zoo.shelf import CARD, Card, folder
from seqloom_runtime.files import sha256_file, write_bytes, write_json

__all__ = ["LIMIT", "Made", "Score", "put"]

LIMIT = 400_000
"""Bytes that a model folder may have."""


@dataclass(frozen=True)
class Score:
    """A score on examples that the model has not seen; `beside`: that of plain methods."""

    name: str
    value: float
    on: str
    beside: dict[str, float] = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A fitted model and what its card says beyond what can be read from the model; files: that its example needs."""

    model: Any
    title: str
    architecture: str
    data: str
    licence: str
    scores: list[Score]
    limits: list[str]
    tries: list[str]
    example: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


def put(name: str, made: Made, models: Path) -> Card:
    """Write the model and its card below `models`; raises ValueError where it is too large."""
    place = models / name
    shutil.rmtree(place, ignore_errors=True)
    made.model.save(place / "model")
    files = sorted((place / "model").iterdir())
    size = sum(path.stat().st_size for path in files)
    for file, content in made.files.items():
        write_bytes(place / file, content)
    if size > LIMIT:
        raise ValueError(f"{name}: {size:,} bytes, more than {LIMIT:,}")
    card = Card(
        name=name,
        title=made.title,
        estimator=type(made.model).__name__,
        architecture=made.architecture,
        data=made.data,
        licence=made.licence,
        parameters=made.model.n_parameters_,
        bytes=size,
        scores=[{**asdict(score), "value": float(f"{score.value:.4g}")} for score in made.scores],
        command=f"python -m bench.zoo {name}",
        made={
            "seqloom": seqloom.__version__,
            "torch": torch.__version__.partition("+")[0],
            "numpy": np.__version__,
            "seed": made.model.seed,
            "threads": torch.get_num_threads(),
        },
        limits=made.limits,
        tries=made.tries,
        example=made.example,
        files={path.name: sha256_file(path) for path in files},
    )
    write_json(place / CARD, asdict(card))
    return card


def shelf() -> Path:
    """The folder of the package that the models lie in."""
    return Path(str(seqloom.__file__)).parent / "zoo" / "models"


def is_there(name: str) -> bool:
    """Whether the package has the model."""
    try:
        return folder(name).is_dir()
    except seqloom.errors.SeqloomError:
        return False

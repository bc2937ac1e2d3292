"""A classifier of number sequences as small as an estimator can be, for the tests of what all tasks share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from oracles import run_folders
from seqloom.tasks.comparison import Comparison, Evaluation, compare_models
from seqloom.tasks.measuring import measure_classes
from seqloom.training import FitSettings, fit
from seqloom_runtime.model_folder import write_model

CLASSES = ("down", "up")


class TinyClassifier:
    """Logistic regression on the mean and the last step of a sequence, or the majority class."""

    def __init__(self, *, model: str = "logistic", epochs: int = 3, seed: int = 0, first: str = "accuracy") -> None:
        self.model, self.epochs, self.seed, self.first = model, epochs, seed, first
        self.extra: Any = None

    def get_params(self) -> dict[str, Any]:
        return {"model": self.model, "epochs": self.epochs, "extra": self.extra}

    def fit(
        self, x: Any, y: Any, *, valid: Any = None, directory: Any = None, resume: bool = False, on_event: Any = None
    ) -> TinyClassifier:
        ids = torch.tensor([CLASSES.index(label) for label in y])
        self.notes_ = [f"{len(y)} sequences trained the models."]
        self.network_ = nn.Linear(2 * x.shape[2], 2)
        generator = torch.Generator().manual_seed(self.seed)
        with torch.no_grad():
            for p in self.network_.parameters():
                p.copy_(torch.randn(p.shape, generator=generator) * 0.3)
        if self.model == "majority":
            with torch.no_grad():
                self.network_.weight.zero_()
                self.network_.bias.copy_(torch.log(torch.bincount(ids, minlength=2) / len(ids)))
            self.n_parameters_ = 0
            return self
        batches = list(zip(_features(x).split(16), ids.split(16)))
        held, there = _features(valid[0]), torch.tensor([CLASSES.index(label) for label in valid[1]])
        self.history_ = fit(
            self.network_,
            batches,
            lambda module, batch: functional.cross_entropy(module(batch[0]), batch[1]),
            settings=FitSettings(epochs=self.epochs, learning_rate=0.02, seed=self.seed),
            validate=lambda module: {
                "loss": functional.cross_entropy(module(held), there).item(),
                "accuracy": (module(held).argmax(1) == there).double().mean().item(),
            },
            directory=directory,
            resume=resume,
            on_event=on_event,
        )
        self.n_parameters_ = sum(p.numel() for p in self.network_.parameters())
        return self

    def evaluate(self, x: Any, y: Any) -> Evaluation:
        with torch.no_grad():
            p = torch.softmax(self.network_(_features(x)).double(), dim=1).numpy()
        return measure_classes(
            [CLASSES.index(label) for label in y],
            p,
            CLASSES,
            first=self.first,
            show=lambda n: {"series": {"names": ["a"], "values": x[n].T.tolist()}},
        )

    def save(self, path: Path) -> None:
        arrays = {name: tensor.numpy() for name, tensor in self.network_.state_dict().items()}
        write_model(path, "tiny", {"model": self.model}, arrays)


def _features(x: Any) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([x.mean(axis=1), x[:, -1]], axis=1).astype(np.float32))


def parts(seed: int = 0, sizes: tuple[int, int, int] = (96, 40, 40)) -> dict[str, tuple[Any, Any]]:
    """Random walks of one channel (N, 12, 1), labelled by where they end, some of the labels wrong."""
    rng = np.random.default_rng(seed)
    data = {}
    for name, count in zip(("train", "valid", "test"), sizes):
        x = np.cumsum(rng.normal(0.05, 1, (count, 12, 1)), axis=1)
        up = (x[:, -1, 0] > 0) ^ (rng.random(count) < 0.1)
        data[name] = (x, np.where(up, "up", "down"))
    return data


def compare_in(folder: Path | None, *, resume: bool = False, **changes: Any) -> Comparison:
    """The small comparison of these tests."""
    epochs, seed = changes.pop("epochs", 3), changes.pop("seed", 0)
    models = changes.pop("models", ("majority", "logistic", "again"))
    estimators = {
        name: TinyClassifier(model="majority" if name == "majority" else "logistic", epochs=epochs, seed=seed + k)
        for k, name in enumerate(models)
    }
    arguments: dict[str, Any] = {"settings": {"models": list(models), "epochs": epochs}, "target": "way", **changes}
    data = arguments.pop("parts", None) or parts()
    return compare_models(
        "sequences",
        arguments.pop("estimators", estimators),
        data,
        **{"baseline": "majority", "directory": folder, "resume": resume, "seed": seed, **arguments},
    )


def killed_at_random(folder: Path, within: float, seed: int) -> bool:
    """Start or go on with a comparison in a process of its own, and kill it in that time; whether it still ran."""
    return run_folders.killed_at_random(_go_on, folder, "oracles.tiny_classifier", within, seed)


def _go_on(folder: Path) -> None:
    compare_in(folder, resume=(folder / "run.json").is_file(), epochs=60)

"""NT-ASGD: when the averaging begins, the mean beside the sum written out, what is validated, kept and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seqloom.training import FitSettings, fit
from seqloom.training.averaging import averaging_due


def test_it_begins_as_the_published_program_does() -> None:
    """Against the loop of the program: the list of values before, and the lowest of all but the last n of them."""
    rng = np.random.default_rng(0)
    for n in (0, 1, 3, 5):
        values = np.round(rng.normal(size=40), 1).tolist()
        best: list[float] = []
        for index, value in enumerate(values):
            before = best[:-n] if n else best
            wanted = len(best) > n and value > min(before)
            assert averaging_due(values[: index + 1], n) == wanted
            best.append(value)


class Line(nn.Module):
    """y = w x, whose weight bounces between the examples' slopes."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))


BATCHES = [(torch.ones(1), torch.tensor([float(slope)])) for slope in (1, 3, 2, 6)]


def trained(epochs: int, **options: Any) -> tuple[Line, Any, list[float], list[float]]:
    """A line after a run, its history, its weight after every step, and what validation saw at each epoch's end."""
    module, steps, seen = Line(), [], []

    def loss(line: Line, batch: Any) -> torch.Tensor:
        steps.append(line.w.item())  # before the step: the weight after the step before
        return (line.w * batch[0] - batch[1]).square().mean()

    def validate(line: Line) -> dict[str, float]:
        seen.append(line.w.item())
        return {"loss": float((line.w - 3).square())}

    keep = options.pop("keep_best", False)
    chosen = FitSettings(
        epochs=epochs,
        optimizer="nt-asgd",
        learning_rate=0.3,
        averaging_patience=1,
        keep_best=keep,
    )
    history = fit(module, BATCHES, loss, settings=chosen, validate=validate, **options)
    return module, history, steps, seen


def test_the_mean_is_that_of_all_steps_since() -> None:
    module, history, before, seen = trained(8)
    values = [row.valid["loss"] for row in history.epochs]
    began = next(n for n in range(1, 9) if averaging_due(values[:n], 1))  # epochs before the mean
    assert 1 < began < 7
    after = [*before[1:], None]  # the weight after each step; of the last it isn't seen
    for epoch in range(began, 8):
        until = 4 * (epoch + 1)
        if None not in after[4 * began : until]:
            assert seen[epoch] == pytest.approx(np.mean(np.array(after[4 * began : until], dtype=float)), rel=1e-5)
            assert seen[epoch] != after[until - 1]
    assert module.w.item() == pytest.approx(seen[-1])  # without the best epoch's, the mean is what is left
    assert module.w.item() != before[-1]


def test_the_best_epoch_keeps_the_mean(tmp_path: Path) -> None:
    module, history, _, seen = trained(8, keep_best=True)
    assert module.w.item() == seen[history.best_epoch - 1]

    class Stop(Exception):
        pass

    def stop(event: object) -> None:
        if type(event).__name__ == "EpochDone" and event.row.epoch == 7:  # type: ignore[attr-defined]
            raise Stop

    with pytest.raises(Stop):
        trained(8, keep_best=True, directory=tmp_path, on_event=stop)
    again, resumed, _, _ = trained(8, keep_best=True, directory=tmp_path, resume=True)
    assert again.w.item() == module.w.item()
    assert resumed == history

"""Two forms of backpropagation through time: weights updated after every step, or once after the sequence.

At each step t the network says what came three steps earlier, and has a loss of its own. Accumulated: the gradients of
all losses are added up and one step is taken. At every step: after each t a step is taken along the gradient of that
loss alone, which reaches back to the first step, and the sequence is read again with the new weights. Both move along
the same sum to first order, so their weights agree for step sizes towards 0 (Werbos 1990; Williams & Peng 1990).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from seqloom_runtime.errors import SettingError
from seqloom_runtime.limits import need_memory

from ..nn import RNN
from ..training import FitSettings, derive_seed
from .job import Job
from .networks import Reader, count
from .pictures import Picture, Plot, curve_of, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["STUDY", "Echo", "Prefixes", "echo"]

LENGTH, TRAIN, TEST, EPOCHS, BATCH, UNITS, DELAY = 12, 400, 400, 20, 20, 8, 3
QUICK = {"train": 40, "test": 40, "epochs": 2}
RATES = {"small": 0.001, "large": 0.05}
_LABELS = {
    "accumulated-large": "accumulated, step size 0.05",
    "every-step-large": "at every step, step size 0.05",
    "accumulated-small": "accumulated, step size 0.001",
    "every-step-small": "at every step, step size 0.001",
}

Echo = tuple[Tensor, Tensor]
"""x (N, T, 1), and y (N, T, 1): x three steps earlier, 0 before that."""


def echo(count: int, length: int, seed: int) -> Echo:
    """Draw sequences of numbers of mean 0 and variance 1.

    >>> x, y = echo(2, 5, seed=0)
    >>> bool((y[:, 3:] == x[:, :2]).all()), bool((y[:, :3] == 0).all())
    (True, True)
    """
    if length <= DELAY:
        raise SettingError(f"length: expected more than {DELAY} steps, as that far back is asked for, got {length}.")
    need_memory(16 * count * length, f"length: {count:,} sequences of {length:,} steps", "Choose a shorter one.")
    x = torch.randn(count, length, 1, generator=torch.Generator().manual_seed(seed))
    return x, functional.pad(x[:, :-DELAY], (0, 0, DELAY, 0))


class Prefixes:
    """Batches of rows in a new order each pass; with `every` each batch comes T times, cut after its step 1, 2, … T.

    A cut batch has the target of its last step alone, a whole one all targets.
    """

    def __init__(self, data: Echo, *, every: bool) -> None:
        self._data, self._every = data, every

    def __len__(self) -> int:
        x = self._data[0]
        return -(-len(x) // BATCH) * (x.shape[1] if self._every else 1)

    def __iter__(self) -> Iterator[Echo]:
        x, y = self._data
        for rows in torch.randperm(len(x)).split(BATCH):
            if not self._every:
                yield x[rows], y[rows]
                continue
            for stop in range(1, x.shape[1] + 1):
                yield x[rows, :stop], y[rows, stop - 1 : stop]


def summed_loss(network: Reader, batch: Echo) -> Tensor:
    """Squared errors of the steps that have a target, summed over them, averaged over the rows."""
    x, y = batch
    return (network(x)[:, -y.shape[1] :] - y).square().sum(dim=(1, 2)).mean()


def _prepare(settings: StudySettings) -> Prepared:
    sizes = (QUICK["train"], QUICK["test"]) if settings.quick else (TRAIN, TEST)
    length = settings.length or LENGTH
    parts = [echo(size, length, derive_seed(0, "bptt", part)) for size, part in zip(sizes, ("a", "b"))]
    return Prepared(parts, {"length": length, "train": sizes[0], "test": sizes[1], "delay": DELAY})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    return [Row("zero", "always 0", seeded=False), *(Row(name, label) for name, label in _LABELS.items())]


def _work(row: Row, data: Sequence[Echo], job: Job) -> Outcome:
    train, (x, y) = data
    if row.name == "zero":
        return Outcome({"mse": float(y.square().mean())}, 0)
    how, _, size = row.name.rpartition("-")
    # The same start and order for both forms: what differs is the form alone.
    seed = derive_seed(job.seed, "bptt")
    network = Reader(RNN(1, UNITS, seed=seed), UNITS, 1, seed=seed + 1, last=False)
    settings = FitSettings(
        epochs=job.settings.epochs or (QUICK["epochs"] if job.settings.quick else EPOCHS),
        optimizer="sgd",
        learning_rate=RATES[size],
        keep_best=False,
        seed=derive_seed(job.seed, "bptt", "training"),
    )
    batches = Prefixes(train, every=how == "every-step")
    history = job.train(
        network, batches, summed_loss, settings, lambda module: {"loss": functional.mse_loss(module(x), y).item()}
    )
    curve = [epoch.valid["loss"] for epoch in history.epochs]
    weights = torch.cat([parameter.detach().flatten() for parameter in network.parameters()]).tolist()
    scores = {"mse": curve[-1], "updates": float(history.steps)}
    return Outcome(scores, count(network), {"mse": curve}, {"weights": [round(weight, 7) for weight in weights]})


def _say(results: Results) -> Iterator[str]:
    for size, rate in RATES.items():
        pair = [results.outcomes(f"{how}-{size}") for how in ("accumulated", "every-step")]
        if all(pair):
            one, other = (np.array(found[0].details["weights"]) for found in pair)
            apart = float(np.linalg.norm(one - other) / np.linalg.norm(one))
            yield f"With a step size of {rate:g} the weights of both forms end {apart:.2g} of their length apart."


def _draw(results: Results) -> list[Picture]:
    rows = results.first_outcomes("zero")
    if not rows:
        return []
    styles = styles_for([row.label for row, _ in rows])
    curves = [curve_of(row.label, outcome.curves["mse"], styles[row.label]) for row, outcome in rows]
    zero = results.median("zero", "mse")
    curves += [] if zero is None else [level("always 0", zero, max(len(curve.y) for curve in curves))]
    reading = "Mean squared error over all steps by epoch: an update after every step, or one for the whole sequence."
    picture = Picture("bptt", "Updates at every step and once a sequence", reading, [Plot("epoch", "test MSE", curves)])
    return [picture]


STUDY = Study(
    name="bptt",
    title="Backpropagation through time: updates at every step, or accumulated",
    about=(
        "At every step the network says which number came three steps earlier.",
        "Weights are updated after each step's loss, or once by the sum of all gradients of the sequence; plain SGD.",
    ),
    columns=(
        Column("parameters", "parameters", 0),
        Column("mse", "test MSE", 4),
        Column("updates", "updates", 0),
        Column("epoch_seconds", "seconds per epoch", 2),
        Column("seconds", "seconds", 1),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    say=_say,
    draw=_draw,
    takes=frozenset({"epochs", "length", "time_limit"}),
)

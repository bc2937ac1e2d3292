"""The copy memory task at delay 1,000: repeat ten digits after a long wait (Arjovsky, Shah and Bengio 2016).

Settings: arXiv 1803.01271, with dropout 0.05 and gradient clipping to 1. The published program clipped before the
backward pass, which does nothing, and had no dropout: the row `tcn-unclipped` does as it did. A model without memory
has the cross-entropy 10·ln 8 / (T + 20), 0.0204 at T = 1,000, over all T + 20 positions.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.data.sequences import copy_floor, copy_memory

from .job import Job
from .long_memory import (
    Examples,
    Model,
    Task,
    columns_with,
    generated,
    in_parts,
    rows_for,
    run_model,
    training_picture,
)
from .networks import Passes
from .pictures import Picture
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["MODELS", "STUDY"]

DELAY, SIZES, QUICK = 1000, (10_000, 1_000), {"length": 8, "sizes": (96, 64)}
BATCH, EPOCHS, KINDS, DIGITS = 32, 100, 10, 10
_RMSPROP = {"optimizer": "rmsprop", "rate": 5e-4}
_RECURRENT = {**_RMSPROP, "dropout": 0.05, "clip": 1.0}
MODELS = {
    "tcn": Model("TCN, 8 levels of 10, kernel 8", "tcn", 10, 8, 8, 0.05, 1.0, **_RMSPROP),
    "tcn-unclipped": Model("TCN, no gradient clipping, no dropout", "tcn", 10, 8, 8, **_RMSPROP),
    "lstm": Model("LSTM(50)", "lstm", 50, **_RECURRENT),
    "gru": Model("GRU(70)", "gru", 70, **_RECURRENT, sized=True),
    "rnn": Model("SimpleRNN(120)", "rnn", 120, **_RECURRENT, sized=True),
}
_PUBLISHED = {"tcn": 3.5e-5, "lstm": 0.0204, "gru": 0.0197, "rnn": 0.0202}


def _prepare(settings: StudySettings) -> Prepared:
    delay = settings.length or (QUICK["length"] if settings.quick else DELAY)
    sizes = QUICK["sizes"] if settings.quick else SIZES
    examples = generated("copy-memory", copy_memory, sizes, delay)  # x (N, T + 20, 1), y (N, T + 20)
    return Prepared(examples, {"made": "copy memory", "delay": delay, "sequences": list(sizes)})


def _rows(settings: StudySettings, prepared: Prepared) -> list[Row]:
    floor = Row("guess", "uniform guess", seeded=False)
    return [floor, *rows_for(MODELS, settings, "loss", _PUBLISHED)]


def _work(row: Row, data: Examples, job: Job) -> Outcome:
    if row.name == "guess":
        return Outcome({"loss": copy_floor(_delay(data)), "digits": 1 / 8}, 0)

    def loss(module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return functional.cross_entropy(module(batch[0]).flatten(0, 1), batch[1].flatten())

    def score(module: nn.Module, part: tuple[Tensor, Tensor]) -> dict[str, float]:
        logits, y = in_parts(module, part[0]), part[1]
        right = (logits[:, -DIGITS:].argmax(2) == y[:, -DIGITS:]).float().mean().item()
        return {"loss": functional.cross_entropy(logits.flatten(0, 1), y.flatten()).item(), "digits": right}

    batches = Passes(*data.train, batch_size=BATCH)
    task = Task(batches, data.valid, data.test, 1, KINDS, loss, score, "loss", EPOCHS, last=False, small_output=True)
    return run_model(MODELS[row.name], task, data.test[0].shape[1], job)


def _delay(data: Examples) -> int:
    """The blank steps between the digits and their recall."""
    return data.test[0].shape[1] - 2 * DIGITS


def _draw(results: Results) -> list[Picture]:
    words, floor = "validation cross-entropy", copy_floor(_delay(results.data))
    return [training_picture(results, "copy-memory", "The copy memory task", "loss", words, floor)]


STUDY = Study(
    name="copy-memory",
    title="The copy memory task",
    about=(
        "Repeat ten digits after 1,000 steps; 10,000 training, 1,000 validation and 1,000 test sequences.",
        f"Batches of {BATCH}, {EPOCHS} epochs, cross-entropy over all steps; the epoch with the lowest validation loss "
        "is scored on the test sequences.",
    ),
    columns=columns_with(
        Column("loss", "test loss", None),
        Column("digits", "digit accuracy", 1, higher_is_better=True, per_cent=True),
    ),
    prepare=_prepare,
    rows=_rows,
    work=_work,
    draw=_draw,
    takes=frozenset({"epochs", "length", "time_limit"}),
)

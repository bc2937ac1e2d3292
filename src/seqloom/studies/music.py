"""Polyphonic music: the keys of the next frame after those so far (Boulanger-Lewandowski, Bengio and Vincent 2012).

Settings: arXiv 1803.01271. The loss of a piece is the negative log likelihood summed over its keys and frames, the
score its sum over keys, averaged over all foretold frames. The published program clipped the gradient before the
backward pass, which does nothing: the row `tcn-unclipped` does as it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from seqloom_runtime.data.sequences import load_music, next_frames
from seqloom_runtime.data.sequences.music import KEYS, MUSIC
from seqloom_runtime.errors import DataError

from .job import Job
from .long_memory import Model, Task, columns_with, rows_for, run_model, training_picture
from .pictures import Picture
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings

__all__ = ["JSB", "JSB_MODELS", "LARGE_MODELS", "MUSE", "NOTTINGHAM", "PIANO_MIDI"]

EPOCHS, AVERAGE, QUICK_PIECES, QUICK_FRAMES = 100, 0.998, 6, 30
_Piece = tuple[Tensor, Tensor]  # inputs and targets, both (1, T, 88)

_JSB_TCN = Model("TCN, 2 levels of 150, kernel 3", "tcn", 150, 2, 3, 0.5, 0.4)
JSB_MODELS = {
    "tcn": _JSB_TCN,
    "tcn-unclipped": replace(_JSB_TCN, label="TCN, no gradient clipping", clip=None),
    "tcn-slow": replace(_JSB_TCN, label="TCN, half the learning rate", rate=1e-3),
    "lstm": Model("2×LSTM(200)", "lstm", 200, 2, dropout=0.2, clip=1.0),
    "gru": Model("GRU(260)", "gru", 260, dropout=0.2, clip=1.0, sized=True),
    "rnn": Model("SimpleRNN(470)", "rnn", 470, dropout=0.2, clip=1.0, rate=5e-4, sized=True),
}
_LARGE_TCN = Model("TCN, 4 levels of 150, kernel 6", "tcn", 150, 4, 6, 0.2, 0.4)
LARGE_MODELS = {
    "tcn": _LARGE_TCN,
    "tcn-unclipped": replace(_LARGE_TCN, label="TCN, no gradient clipping", clip=None),
    "lstm": Model("LSTM(500)", "lstm", 500, dropout=0.1, clip=1.0, rate=4e-3),
    "gru": Model("GRU(530)", "gru", 530, dropout=0.1, clip=1.0, sized=True),
    "rnn": Model("SimpleRNN(910)", "rnn", 910, dropout=0.1, clip=1.0, rate=5e-4, sized=True),
}


class _Pieces:
    """One piece a batch, each pass in a new order, drawn from torch's global stream, which the loop keeps."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return len(self._pieces)

    def __iter__(self) -> Iterator[_Piece]:
        for number in torch.randperm(len(self._pieces)).tolist():
            yield self._pieces[number]


def _prepare(name: str, collection: str, settings: StudySettings) -> Prepared:
    if settings.data is not None and not Path(settings.data).is_dir():
        raise DataError(f"data: expected the folder that holds poly_music/, got {settings.data}, which is no folder.")
    packed, original = MUSIC[name]
    if packed.find(settings.data) is None and original.find(settings.data) is None:
        raise DataError(
            f"data: expected a folder with {original.folder}/{original.name} or {packed.name}, found neither; set "
            f"SEQLOOM_DATA to one. The original: {original.urls[0]}"
        )
    parts: dict[str, list[_Piece]] = {}
    for part in ("train", "valid", "test"):
        pieces = load_music(name, part, cache=settings.data)
        if settings.quick:
            pieces = [piece[:QUICK_FRAMES] for piece in pieces[:QUICK_PIECES]]
        x, y = next_frames(pieces)
        parts[part] = [(torch.from_numpy(a)[None], torch.from_numpy(b)[None]) for a, b in zip(x, y, strict=True)]
    counts = {part: [len(pieces), sum(y.shape[1] for _, y in pieces)] for part, pieces in parts.items()}
    words = ", ".join(f"{pieces:,} {part} pieces ({frames:,} frames)" for part, (pieces, frames) in counts.items())
    return Prepared(parts, {"data": collection, **counts}, (f"{collection}: {words}.",))


def _rows(
    models: Mapping[str, Model], published: Mapping[str, float], settings: StudySettings, prepared: Prepared
) -> list[Row]:
    floor = Row("frequency", "how often each key sounds", seeded=False)
    return [floor, *rows_for(models, settings, "nll", published)]


def _work(models: Mapping[str, Model], row: Row, data: Mapping[str, list[_Piece]], job: Job) -> Outcome:
    if row.name == "frequency":
        sounding = torch.cat([y[0] for _, y in data["train"]]).double()
        # Counted with half a frame more of each kind, so that a key that never sounded has a probability too.
        share = (sounding.sum(0) + 0.5) / (len(sounding) + 1)
        heard = torch.cat([y[0] for _, y in data["test"]]).double()
        nll = -(heard * share.log() + (1 - heard) * (1 - share).log()).sum(1).mean()
        return Outcome({"nll": nll.item()}, KEYS)

    def loss(module: nn.Module, batch: _Piece) -> Tensor:
        return functional.binary_cross_entropy_with_logits(module(batch[0]), batch[1], reduction="sum")

    def score(module: nn.Module, part: list[_Piece]) -> dict[str, float]:
        frames = sum(y.shape[1] for _, y in part)
        return {"nll": float(np.sum([loss(module, piece).item() for piece in part])) / frames}

    # Validation chooses among averages: single epochs of a piece a step lie some tenths of a nat apart.
    schedule = {"average_weights": AVERAGE}
    pieces = _Pieces(data["train"])
    task = Task(
        pieces, data["valid"], data["test"], KEYS, KEYS, loss, score, "nll", EPOCHS, last=False, schedule=schedule
    )
    return run_model(models[row.name], task, None, job)


def _draw(name: str, heading: str, results: Results) -> list[Picture]:
    floor = results.median("frequency", "nll")
    return [training_picture(results, name, heading, "nll", "validation NLL per frame", floor)]


def _study(
    name: str, title: str, collection: str, models: Mapping[str, Model], published: Mapping[str, float], more: str = ""
) -> Study:
    return Study(
        name=name,
        title=title,
        about=(
            f"{collection}: which of 88 keys sound in the next frame; negative log likelihood, summed over keys.{more}",
            f"One piece a step, its loss summed over frames; {EPOCHS} epochs. Of the moving average of the weights "
            "over some 500 steps the epoch with the lowest validation NLL is scored on the test pieces.",
        ),
        columns=columns_with(Column("nll", "test NLL", 3)),
        prepare=partial(_prepare, name, collection),
        rows=partial(_rows, models, published),
        work=partial(_work, models),
        draw=partial(_draw, name, title),
        takes=frozenset({"data", "epochs", "time_limit"}),
    )


_OTHERS = " The paper has no table for it: the models are those of Nottingham."
JSB = _study(
    "jsb", "Bach's chorales", "JSB Chorales", JSB_MODELS, {"tcn": 8.10, "lstm": 8.45, "gru": 8.43, "rnn": 8.91}
)
NOTTINGHAM = _study(
    "nottingham", "Folk tunes", "Nottingham", LARGE_MODELS, {"tcn": 3.07, "lstm": 3.29, "gru": 3.46, "rnn": 4.05}
)
PIANO_MIDI = _study("piano-midi", "Classical piano music", "Piano-midi", LARGE_MODELS, {}, _OTHERS)
MUSE = _study("muse", "Orchestral and piano music", "MuseData", LARGE_MODELS, {}, _OTHERS)

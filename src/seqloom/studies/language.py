"""Language models on the published corpora: the next word or character, and the last word of a passage.

Settings of the TCN, and of the LSTM on the Penn Treebank: arXiv 1803.01271. A TCN is trained on overlapping windows and
scored on the last steps of each, as published; a recurrent network on streams whose state is carried on. Adam with a
cosine schedule stands for the published programs' SGD, whose rate was cut by hand-written rules.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ..tasks.language import LanguageModel
from .job import Job
from .long_memory import columns_with
from .pictures import Curve, Picture, Plot, level, styles_for
from .results import Results
from .study import Column, Outcome, Prepared, Row, Study, StudySettings
from .texts import CORPORA, PARTS, Texts, read_texts

__all__ = ["LAMBADA", "PTB_CHARS", "PTB_WORDS", "TEXT8", "WIKITEXT"]

_BASELINES = {"unigram": "unigram", "bigram": "bigram, Kneser–Ney"}
# Whatever a row doesn't set is off: the estimator's defaults are not the paper's.
_PLAIN: dict[str, Any] = {"input_dropout": 0.0, "recurrent_dropout": 0.0, "output_dropout": 0.0, "learning_rate": 2e-3}
_QUICK = {"units": 16, "embedding_size": 16, "layers": 2, "window": 16, "batch_size": 4, "steps_per_epoch": 3}


@dataclass(frozen=True)
class _Network:
    """A row: its label, its parameters of `LanguageModel`, whether the settings are ours, for want of published ones
    (`sized`), and whether it runs only by name (`extra`)."""

    label: str
    settings: Mapping[str, Any]
    sized: bool = False
    extra: bool = False


@dataclass(frozen=True)
class _Table:
    """One study: a corpus, what every row shares, its networks, and the published figures of the score `key`."""

    key: str
    about: str
    shared: Mapping[str, Any]
    networks: Mapping[str, _Network]
    published: Mapping[str, float]
    goals: tuple[str, ...] = ("tcn",)
    columns: tuple[Column, ...] = field(default=(Column("perplexity", "test perplexity", 2),))


def _recurrent(label: str, dropout: float, *, sized: bool = True, **settings: Any) -> _Network:
    """Dropout of what goes into the layers, between them and out of them."""
    dropped = {"input_dropout": dropout, "between_dropout": dropout, "output_dropout": dropout}
    return _Network(label, {**dropped, **settings}, sized)


def _tcn(label: str, units: int, levels: int, kernel: int, window: int, scored: int, **settings: Any) -> _Network:
    shape = {"units": units, "layers": levels, "kernel_size": kernel}
    return _Network(label, {**shape, "window": window, "scored": scored, **settings})


def _adaptive(network: _Network) -> _Network:
    """The same with an adaptive softmax, which can share no weights with the embedding: for few cores."""
    return replace(
        network,
        label=f"{network.label}, adaptive softmax",
        settings={**network.settings, "tied": False, "softmax": "adaptive"},
        extra=True,
    )


_WORDS = _Table(
    "perplexity",
    "929,589 training words of 10,000 kinds, an end of line among them; perplexity of the next word.",
    {"batch_size": 16, "window": 70, "epochs": 40},
    {
        "tcn": _tcn(
            *("TCN, 4 levels of 600, kernel 3", 600, 4, 3, 80, 40),
            between_dropout=0.5,
            embedding_dropout=0.25,
            clip_norm=0.4,
        ),
        "lstm": _recurrent("3×LSTM(700)", 0.4, sized=False, units=700, layers=3, clip_norm=0.3),
        "gru": _recurrent("3×GRU(620)", 0.4, units=620, layers=3, clip_norm=0.3),
        "rnn": _recurrent("3×SimpleRNN(850)", 0.4, units=850, layers=3, clip_norm=0.3, learning_rate=5e-4),
    },
    {"tcn": 88.68, "lstm": 78.93, "gru": 92.48, "rnn": 114.50},
    ("tcn", "lstm"),
)
_BITS = (Column("bits", "test bits per character", 4),)
_APART: dict[str, Any] = {"tied": False, "embedding_size": 100}  # a tied last layer would have 100 units
_CHARS = _Table(
    "bits",
    "5,017,482 training characters of 50 kinds, an end of line among them; bits for the next character.",
    {"level": "char", "batch_size": 32, "window": 200, "epochs": 20},
    {
        "tcn": _tcn(
            *("TCN, 3 levels of 450, kernel 3", 450, 3, 3, 400, 320),
            embedding_size=100,
            between_dropout=0.1,
            embedding_dropout=0.1,
            clip_norm=0.15,
        ),
        "lstm": _recurrent("2×LSTM(600)", 0.1, sized=False, units=600, layers=2, clip_norm=0.5, **_APART),
        "gru": _recurrent("2×GRU(560)", 0.1, units=560, layers=2, clip_norm=0.5, **_APART),
        "rnn": _recurrent("2×SimpleRNN(980)", 0.1, units=980, layers=2, clip_norm=0.5, learning_rate=5e-4, **_APART),
    },
    {"tcn": 1.31, "lstm": 1.36, "gru": 1.37, "rnn": 1.48},
    ("tcn", "lstm"),
    _BITS,
)
_TEXT8 = _Table(
    "bits",
    "90,000,000 training characters of 27 kinds; bits for the next character.",
    {"level": "char", "batch_size": 32, "window": 200, "epochs": 70, "steps_per_epoch": 2000},
    {
        "tcn": _tcn(
            *("TCN, 5 levels of 520, kernel 2", 520, 5, 2, 400, 320),
            embedding_size=100,
            between_dropout=0.1,
            embedding_dropout=0.1,
            clip_norm=0.15,
        ),
        "lstm": _recurrent("2×LSTM(620)", 0.1, units=620, layers=2, clip_norm=0.5, **_APART),
        "gru": _recurrent("2×GRU(720)", 0.1, units=720, layers=2, clip_norm=0.5, **_APART),
        "rnn": _recurrent("2×SimpleRNN(1270)", 0.1, units=1270, layers=2, clip_norm=0.5, learning_rate=5e-4, **_APART),
    },
    {"tcn": 1.45, "lstm": 1.50, "gru": 1.53, "rnn": 1.69},
    columns=_BITS,
)
_TIED: dict[str, Any] = {"embedding_size": 400}  # shared by the logits, so that the last layer has as many units
_WIKITEXT_TCN = _tcn(
    "TCN, 5 levels of 1000, kernel 3", 1000, 5, 3, 150, 100, between_dropout=0.4, clip_norm=0.4, **_TIED
)
_WIKITEXT = _Table(
    "perplexity",
    "103 million training words of 267,735 kinds, an end of line among them; perplexity of the next word.",
    {"batch_size": 16, "window": 70, "epochs": 200, "steps_per_epoch": 500},
    {
        "tcn": _WIKITEXT_TCN,
        "tcn-adaptive": _adaptive(_WIKITEXT_TCN),
        "lstm": _recurrent("3×LSTM(1150, 1150, 400)", 0.2, units=1150, layers=3, clip_norm=0.3, **_TIED),
        "gru": _recurrent("3×GRU(1300, 1300, 400)", 0.2, units=1300, layers=3, clip_norm=0.3, **_TIED),
        "rnn": _recurrent(
            "3×SimpleRNN(2000, 2000, 400)", 0.2, units=2000, layers=3, clip_norm=0.3, learning_rate=5e-4, **_TIED
        ),
    },
    {"tcn": 45.19, "lstm": 48.4},
)
_SHARED: dict[str, Any] = {"embedding_size": 500}
_LAMBADA_TCN = _tcn(
    "TCN, 5 levels of 500, kernel 4", 500, 5, 4, 200, 100, between_dropout=0.4, clip_norm=0.4, **_SHARED
)
_LAMBADA = _Table(
    "perplexity",
    "Novels to train on, of the 93,215 most frequent words; perplexity and accuracy of the last word of passages, "
    "given all before it.",
    {
        "scoring": "last-word",
        "max_words": 93_215,
        "batch_size": 16,
        "window": 100,
        "epochs": 100,
        "steps_per_epoch": 1000,
    },
    {
        "tcn": _LAMBADA_TCN,
        "tcn-adaptive": _adaptive(_LAMBADA_TCN),
        "lstm": _recurrent("2×LSTM(1000, 500)", 0.2, units=1000, layers=2, clip_norm=0.3, **_SHARED),
        "gru": _recurrent("2×GRU(1200, 500)", 0.2, units=1200, layers=2, clip_norm=0.3, **_SHARED),
        "rnn": _recurrent(
            "2×SimpleRNN(2400, 500)", 0.2, units=2400, layers=2, clip_norm=0.3, learning_rate=5e-4, **_SHARED
        ),
    },
    {"tcn": 1279.0, "lstm": 4186.0, "rnn": 14725.0},
    columns=(
        Column("perplexity", "test perplexity", 1),
        Column("accuracy", "test accuracy", 2, higher_is_better=True, per_cent=True),
    ),
)


def _prepare(name: str, settings: StudySettings) -> Prepared:
    texts = read_texts(name, settings.data, quick=settings.quick)
    sizes = {part: len(texts.parts[part]) for part in PARTS}
    return Prepared(texts, {"data": CORPORA[name].title, "characters": sizes}, texts.notes)


def _rows(table: _Table, settings: StudySettings, prepared: Prepared) -> list[Row]:
    rows = [Row(name, label, seeded=False) for name, label in _BASELINES.items()]
    # Figures of another text would mislead, and so would the size that a quick run's networks don't have.
    known = table.published if prepared.data.original else {}
    for name, network in table.networks.items():
        figures = {table.key: known[name]} if name in known else {}
        label = f"{name}, small" if settings.quick else network.label
        rows.append(Row(name, label, figures, figures if name in table.goals else {}, extra=network.extra))
    return rows


def _work(table: _Table, row: Row, data: Texts, job: Job) -> Outcome:
    network = table.networks.get(row.name)
    model = LanguageModel(**settings_of(table, row.name, job.settings), seed=job.seed)
    fitting = job.checkpoints(kept=network is not None)
    model.fit(data.parts["train"], valid=data.parts["valid"], stop=lambda _: job.out_of_time(), **fitting)
    scores = dict(model.evaluate(data.parts["test"]).scores)
    kept: dict[str, float | None] = {column.key: scores[column.key] for column in table.columns}
    if network is None or model.history_ is None:
        return Outcome(kept, model.n_parameters_)
    epochs = model.history_.epochs
    curves = {"train": [epoch.train_loss for epoch in epochs], "loss": [epoch.valid["loss"] for epoch in epochs]}
    notes = [*model.notes_, *_notes(network, model, job)]
    return Outcome({**kept, "best_epoch": model.history_.best_epoch}, model.n_parameters_, curves, {}, notes)


def settings_of(table: _Table, name: str, settings: StudySettings) -> dict[str, Any]:
    """A row's parameters of `LanguageModel`."""
    network = table.networks.get(name)
    if network is None:
        shared = {key: table.shared[key] for key in ("level", "scoring", "max_words") if key in table.shared}
        return {"model": name, **shared}
    found = {**_PLAIN, **table.shared, **network.settings, "model": name.partition("-")[0]}
    if settings.quick:
        found |= _QUICK | {"epochs": 2} | ({"scored": 8} if "scored" in found else {})
    if settings.epochs is not None:
        found["epochs"] = settings.epochs
    return found


def _notes(network: _Network, model: LanguageModel, job: Job) -> list[str]:
    scored = f"windows of {model.window}, scored on the last {model.scored}"
    read = f"streams of {model.window} steps, the state carried on" if model.scored is None else scored
    dropped = model.between_dropout
    notes = [
        f"{model.optimizer}, learning rate {model.learning_rate:g}, cosine; clipping norm {model.clip_norm:g}; "
        f"dropout {dropped:g}; {read}."
    ]
    if model.steps_per_epoch is not None:
        notes.append(f"an epoch is {model.steps_per_epoch:,} steps of {model.batch_size} rows, not a whole pass.")
    if network.sized:
        notes.append("no settings are published for it: it has about the size that the paper compares at.")
    history = model.history_
    if history is not None and history.stopped_early:
        number = len(history.epochs)
        limit = f"the time limit of {job.settings.time_limit:g} minutes"
        notes.append(f"seed {job.seed} stopped after {number} {'epoch' if number == 1 else 'epochs'}, at {limit}.")
    return notes


def _draw(name: str, table: _Table, results: Results) -> list[Picture]:
    trained = [(row, outcome) for row, outcome in results.first_outcomes() if outcome.curves]
    styles = styles_for([row.label for row, _ in trained])
    curves = [
        Curve(row.label, range(1, len(outcome.curves["loss"]) + 1), outcome.curves["loss"], styles[row.label])
        for row, outcome in trained
    ]
    floor = results.median("bigram", table.key)
    if floor is not None and curves and "scoring" not in table.shared:
        nats = math.log(floor) if table.key == "perplexity" else floor * math.log(2)
        curves.append(level("bigram, test text", nats, max(len(curve.y) for curve in curves)))
    words = "nats per character" if table.key == "bits" else "nats per word"
    reading = "The loss of the validation text after each epoch."
    return [Picture(name, CORPORA[name].title, reading, [Plot("epoch", words, curves)], 1, 560, 280)]


def _study(name: str, table: _Table) -> Study:
    epochs = table.shared["epochs"]
    return Study(
        name=name,
        title=f"Language models on {CORPORA[name].title}",
        about=(
            table.about,
            f"{epochs} epochs, or until the time limit; the epoch with the lowest validation loss is scored on the "
            "test text.",
        ),
        columns=columns_with(*table.columns, epoch_decimals=0),
        prepare=partial(_prepare, name),
        rows=partial(_rows, table),
        work=partial(_work, table),
        draw=partial(_draw, name, table),
        takes=frozenset({"data", "epochs", "time_limit"}),
    )


PTB_WORDS = _study("ptb-words", _WORDS)
PTB_CHARS = _study("ptb-chars", _CHARS)
TEXT8 = _study("text8", _TEXT8)
WIKITEXT = _study("wikitext-103", _WIKITEXT)
LAMBADA = _study("lambada", _LAMBADA)

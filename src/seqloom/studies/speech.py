"""Spoken digits and commands by voices that training never heard: CTC with and without hidden bands, with a language
model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from seqloom_runtime.extras import need

from ..tasks import LanguageModel, Transcriber
from .job import Job
from .pictures import Bars, Picture, Plot
from .results import Results
from .score_charts import scores_and_learning
from .speaking import spoken, version
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["COMMANDS", "DIGITS"]

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LONGEST, _QUICK = 7, 60
_SIZES = {"train": 4_000, "valid": 200, "test": 600, "heard": 200}
_ROOMS = ("kitchen", "bedroom", "hall", "garage", "garden", "bathroom")
_THINGS = ("light", "heater", "radio", "fan", "television")
_PLANS = (
    "turn {switch} the {thing} in the {room}",
    "switch the {room} {thing} {switch}",
    "set the timer to {digit} minutes",
    "wake me at {digit} in the {time}",
    "play the {time} news in the {room}",
    "is the {thing} in the {room} {switch}",
)
_LABELS = {
    "nearest": "the nearest training sound",
    "plain": "conv-gru, nothing hidden",
    "conv-gru": "conv-gru, bands and frames hidden",
    "language-model": "the same with a language model",
}


@dataclass(frozen=True)
class _Task:
    """What is said, in which tokens, the rows beside the baseline, and how long a network trains.

    channels: a pooling stands between two; letters follow each other too fast for two of them.
    """

    sentence: Callable[[np.random.Generator], str]
    level: str
    rows: tuple[str, ...]
    channels: tuple[int, ...]
    epochs: int
    goals: Mapping[str, float]


def _digits(draw: np.random.Generator) -> str:
    return " ".join(_DIGITS[n] for n in draw.integers(len(_DIGITS), size=int(draw.integers(1, _LONGEST + 1))))


def _command(draw: np.random.Generator) -> str:
    def one(of: tuple[str, ...]) -> str:
        return of[int(draw.integers(len(of)))]

    return one(_PLANS).format(
        switch=one(("on", "off")),
        thing=one(_THINGS),
        room=one(_ROOMS),
        digit=one(_DIGITS[1:]),
        time=one(("morning", "evening")),
    )


_TASKS = {
    "digits": _Task(_digits, "word", ("plain", "conv-gru"), (32, 48, 64), 20, {"conv-gru": 0.03}),
    "commands": _Task(_command, "char", ("conv-gru", "language-model"), (32, 64), 20, {}),
}


def _prepare(name: str, settings: StudySettings) -> Prepared:
    for module in ("kaldi_native_fbank", "jiwer"):
        need(module, f"the study {name}")
    parts = {part: max(24, size // (_QUICK if settings.quick else 1)) for part, size in _SIZES.items()}
    data = {part: spoken(part, size, _TASKS[name].sentence, name) for part, size in parts.items()}
    return Prepared(data, {"made": name, "by": version(), **parts})


def _rows(name: str, settings: StudySettings, prepared: Prepared) -> list[Row]:
    task = _TASKS[name]
    labels = {row: _LABELS[row] for row in ("nearest", *task.rows)}
    return rows_of(labels, "wer", {}, {} if settings.quick else task.goals, unseeded=("nearest",))


def _work(name: str, row: Row, data: dict[str, Any], job: Job) -> Outcome:
    task, quick = _TASKS[name], job.settings.quick
    options: dict[str, Any] = {"band_mask": 0, "frame_mask": 0} if row.name == "plain" else {"band_mask": 10}
    with tempfile.TemporaryDirectory() as folder:
        if row.name == "language-model":
            options |= {
                "language_model": _language(data["train"][1], task.level, folder, quick),
                "language_weight": 0.5,
            }
        model = Transcriber(
            model="nearest" if row.name == "nearest" else "conv-gru",
            level=task.level,
            channels=(4,) * len(task.channels) if quick else task.channels,
            units=6 if quick else 64,
            dropout=0.2,
            input_dropout=0.1,
            recurrent_dropout=0.1,
            learning_rate=0.004,
            epochs=job.settings.epochs or (1 if quick else task.epochs),
            seed=job.seed,
            **options,
        )
        model.fit(*data["train"], valid=data["valid"], **job.checkpoints(kept=row.name != "nearest"))
    scores = dict(model.evaluate(*data["test"]).scores)
    scores["heard"] = model.evaluate(*data["heard"]).scores["wer"]
    curves = {}
    if model.history_ is not None:
        curves["valid"] = [epoch.valid["wer"] for epoch in model.history_.epochs]
    return Outcome(scores, model.n_parameters_, curves)


def _language(texts: list[str], level: str, folder: str, quick: bool) -> str:
    """A small model of the training texts, saved in `folder`."""
    LanguageModel(
        model="gru",
        level=level,
        units=4 if quick else 64,
        layers=1,
        input_dropout=0.0,
        recurrent_dropout=0.0,
        output_dropout=0.0,
        epochs=1 if quick else 4,
    ).fit("\n".join(texts) + "\n").save(folder)
    return folder


def _say(results: Results) -> Iterator[str]:
    for row in ("conv-gru",):
        unheard, heard = results.median(row, "wer"), results.median(row, "heard")
        if unheard is not None and heard is not None:
            yield f"Voices that training never heard have {100 * (unheard - heard):+.1f} points of word error rate."


def _draw(name: str, title: str, results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        name,
        title,
        Bars("word error rate", [], [], [], "Word error rate, unheard voices"),
        Plot("epoch", "word error rate, validation voices", []),
        keys=("wer", "valid"),
        baseline="nearest",
    )


def _study(name: str, title: str, about: tuple[str, ...]) -> Study:
    return Study(
        name=name,
        title=title,
        about=about,
        columns=(
            Column("parameters", "parameters", 0),
            Column("wer", "word error rate", 2, per_cent=True),
            Column("heard", "of heard voices", 2, per_cent=True),
            Column("cer", "character error rate", 2, per_cent=True),
            Column("exact_match", "exact match", 2, higher_is_better=True, per_cent=True),
            Column("seconds", "seconds", 0),
        ),
        prepare=partial(_prepare, name),
        rows=partial(_rows, name),
        work=partial(_work, name),
        say=_say,
        draw=partial(_draw, name, title),
        takes=frozenset({"epochs"}),
    )


_MADE = (
    "Made by espeak-ng in six accents of English, at 120 to 220 words a minute and many pitches, with white or pink "
    "noise 10 to 30 dB below; 4,000 training sounds, played at 0.8 to 1.2 times their speed.",
    "Voices: the test's are in no other part, chosen by the alphabet; of heard voices: new sentences by those of "
    "training.",
)
DIGITS = _study("digits", "Spoken digits, one to seven in a row, by unheard voices", _MADE)
COMMANDS = _study("commands", "Spoken commands, letter by letter, by unheard voices", _MADE)

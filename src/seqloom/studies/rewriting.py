"""Dates in many spellings to ISO, sums with the last digit first, English to German: small translations, made here."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..tasks import Seq2Seq
from ..training import derive_seed
from .job import Job
from .made_languages import made_sentences
from .pictures import Bars, Picture, Plot
from .results import Results
from .score_charts import scores_and_learning
from .study import Column, Outcome, Prepared, Row, Study, StudySettings, rows_of

__all__ = ["DATES", "NEW_SPELLINGS", "SENTENCES", "SPELLINGS", "SUMS", "made_dates", "made_sums", "spell"]

Pairs = tuple[list[str], list[str]]
_SIZES, _QUICK = {"train": 20_000, "valid": 500, "test": 2_000, "new": 1_000}, 60
_DAY_0, _DAYS = datetime.date(1900, 1, 1), 73_049  # to the end of 2099
_HELD_OUT = 10  # each tenth date is never trained on, in any spelling
# Not the calendar module's, which are the locale's.
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SPELLINGS = (
    "{d} {month} {y}",
    "{month} {d}, {y}",
    "{d} {mon} {y}",
    "{mon} {d}, {y}",
    "{dd}.{mm}.{y}",
    "{dd}/{mm}/{y}",
    "{y}/{mm}/{dd}",
    "{y}{mm}{dd}",
    "{dd}-{mon}-{y}",
    "{th} of {month} {y}",
    "the {th} of {month}, {y}",
    "{month} {th}, {y}",
    "{weekday}, {d} {month} {y}",
    "{wed} {d} {mon} {y}",
    "{weekday}, {month} {d}, {y}",
    "{y} {month} {d}",
    "{d}. {m}. {y}",
    "{y}-{mon}-{dd}",
    "{MONTH} {d}, {y}",
    "{d} {lower} {y}",
)
"""The twenty spellings of training; none can be read in two ways."""
NEW_SPELLINGS = ("{wed}, {month} {th}, {y}", "{th} {mon} {y}")
"""Two that training never sees, of parts that it does."""
_LABELS = {
    "memory": "translation memory",
    "none": "GRU, no attention",
    "additive": "GRU, additive attention",
    "multiplicative": "GRU, multiplicative attention",
    "convolutional": "convolutional encoder, additive attention",
}
_OWN: dict[str, dict[str, Any]] = {
    "memory": {"model": "memory"},
    "convolutional": {"encoder": "convolutional"},
    **{name: {"attention": name} for name in ("none", "additive", "multiplicative")},
}
_APART = ("new", "names")  # further parts of the test data, of which the exact match alone is told


@dataclass(frozen=True)
class _Task:
    """What is trained on which pairs: `make` gives the parts for a divisor of their sizes. options: of every row."""

    make: Callable[[int], dict[str, Pairs]]
    units: int
    epochs: int
    goal: float
    goal_rows: tuple[str, ...] = ("additive", "multiplicative")
    rows: tuple[str, ...] = ("memory", "none", "additive", "multiplicative")
    options: dict[str, Any] = field(default_factory=lambda: {"level": "char"})


def spell(day: datetime.date, form: str) -> str:
    """A date in one of the spellings.

    >>> spell(datetime.date(2012, 3, 2), "{wed}, the {th} of {month}, {y}")
    'Fri, the 2nd of March, 2012'
    """
    d, month, weekday = day.day, _MONTHS[day.month - 1], _WEEKDAYS[day.weekday()]
    ending = "th" if 10 <= d % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(d % 10, "th")
    return form.format(
        y=day.year,
        m=day.month,
        mm=f"{day.month:02}",
        d=d,
        dd=f"{d:02}",
        th=f"{d}{ending}",
        month=month,
        mon=month[:3],
        MONTH=month.upper(),
        lower=month.lower(),
        weekday=weekday,
        wed=weekday[:3],
    )


def made_dates(divisor: int = 1) -> dict[str, Pairs]:
    """Training, validation and test pairs, and the test dates in new spellings, "new"; all of 1900 to 2099.

    No date of a part is in another part's training pairs, in whatever spelling.
    """
    draw = np.random.default_rng(derive_seed(0, "dates"))
    order = draw.permutation(_DAYS)
    held = order[: _DAYS // _HELD_OUT]
    pools = {"train": order[len(held) :], "valid": held[::2], "test": held[1::2], "new": held[1::2]}
    found = {}
    for part, size in _SIZES.items():
        forms = NEW_SPELLINGS if part == "new" else SPELLINGS
        days = [_DAY_0 + datetime.timedelta(int(n)) for n in draw.choice(pools[part], max(20, size // divisor))]
        which = draw.integers(len(forms), size=len(days))
        found[part] = [spell(day, forms[n]) for day, n in zip(days, which)], [day.isoformat() for day in days]
    return found


def made_sums(divisor: int = 1) -> dict[str, Pairs]:
    """Sums of two numbers of four digits (`1234+5678`) and the result, last digit first, none in two parts."""
    draw = np.random.default_rng(derive_seed(0, "sums"))
    sizes = {part: max(20, size // divisor) for part, size in {**_SIZES, "train": 50_000}.items() if part != "new"}
    total = sum(sizes.values())
    # Numbers of all pairs from 0 to 81 million: more are drawn than needed, as some come twice.
    numbers = list(dict.fromkeys(draw.integers(9000 * 9000, size=total + total // 50 + 20).tolist()))
    found, at = {}, 0
    for part, size in sizes.items():
        both = [(1000 + n // 9000, 1000 + n % 9000) for n in numbers[at : at + size]]
        found[part] = [f"{a}+{b}" for a, b in both], [str(a + b)[::-1] for a, b in both]
        at += size
    return found


_TASKS = {
    "dates": _Task(made_dates, 96, 4, 0.99),
    "sums": _Task(made_sums, 128, 8, 0.98),
    "sentences": _Task(
        made_sentences,
        96,
        6,
        0.98,
        ("additive", "convolutional"),
        ("memory", "none", "additive", "convolutional"),
        {"level": "word", "min_count": 2},
    ),
}


def _prepare(name: str, settings: StudySettings) -> Prepared:
    data = _TASKS[name].make(_QUICK if settings.quick else 1)
    return Prepared(data, {"made": name, **{part: len(pairs[0]) for part, pairs in data.items()}})


def _rows(name: str, settings: StudySettings, prepared: Prepared) -> list[Row]:
    task = _TASKS[name]
    goals = {} if settings.quick else dict.fromkeys(task.goal_rows, task.goal)
    return rows_of({row: _LABELS[row] for row in task.rows}, "exact_match", {}, goals, unseeded=("memory",))


def _work(name: str, row: Row, data: dict[str, Pairs], job: Job) -> Outcome:
    task, remembers = _TASKS[name], row.name == "memory"
    model = Seq2Seq(
        **{"model": "gru", **task.options, **_OWN[row.name]},
        units=8 if job.settings.quick else task.units,
        embedding_size=32,
        dropout=0.0,
        beams=1,
        epochs=job.settings.epochs or (1 if job.settings.quick else task.epochs),
        batch_size=64,
        learning_rate=0.003,
        warmup_steps=0 if job.settings.quick or job.settings.epochs else 100,
        seed=job.seed,
    )
    model.fit(*data["train"], valid=data["valid"], **job.checkpoints(kept=not remembers))
    scores = dict(model.evaluate(*data["test"]).scores)
    for apart in _APART:
        if apart in data:
            scores[apart] = model.evaluate(*data[apart]).scores["exact_match"]
    curves = {}
    if model.history_ is not None:
        curves["wrong"] = [1 - epoch.valid["exact_match"] for epoch in model.history_.epochs]
    return Outcome(scores, model.n_parameters_, curves)


def _say(results: Results) -> Iterator[str]:
    with_it = [results.median(row, "exact_match") for row in ("additive", "multiplicative")]
    without = results.median("none", "exact_match")
    found = [value for value in with_it if value is not None]
    if found and without is not None:
        yield f"Attention changes the exact match by {100 * (max(found) - without):+.1f} points."


def _draw(name: str, title: str, results: Results) -> list[Picture]:
    return scores_and_learning(
        results,
        name,
        title,
        Bars("exact match", [], [], [], "Exact match, test pairs"),
        Plot("epoch", "share of validation texts with an error", []),
        keys=("exact_match", "wrong"),
        baseline="memory",
    )


def _study(name: str, title: str, about: tuple[str, ...], *own: Column) -> Study:
    return Study(
        name=name,
        title=title,
        about=about,
        columns=(
            Column("parameters", "parameters", 0),
            Column("exact_match", "exact match", 2, higher_is_better=True, per_cent=True),
            *own,
            Column("cer", "character error rate", 2, per_cent=True),
            Column("seconds", "seconds", 0),
        ),
        prepare=partial(_prepare, name),
        rows=partial(_rows, name),
        work=partial(_work, name),
        say=_say,
        draw=partial(_draw, name, title),
        takes=frozenset({"epochs"}),
    )


DATES = _study(
    "dates",
    "Dates in twenty spellings to ISO",
    (
        "20,000 training pairs of dates from 1900 to 2099, each in one of 20 spellings; the 2,000 test pairs are of "
        "dates that training has in no spelling.",
        "New spellings: the test dates in two spellings that training never sees, made of parts that it does.",
    ),
    Column("new", "new spellings", 2, higher_is_better=True, per_cent=True),
)
SUMS = _study(
    "sums",
    "Sums of numbers of four digits, the last digit first",
    ("50,000 training sums such as 1234+5678 to 2196, 2,000 test sums; none is in two parts.",),
)
SENTENCES = _study(
    "sentences",
    "English sentences to German",
    (
        "12,000 training pairs of a small grammar (gender, case, the verb second or last), 1,000 test sentences that "
        "training doesn't have; tokens are words.",
        "New names: test sentences about somebody whose name is in no other sentence; it has to be copied.",
    ),
    Column("names", "new names", 2, higher_is_better=True, per_cent=True),
    Column("bleu", "BLEU", 1, higher_is_better=True),
)

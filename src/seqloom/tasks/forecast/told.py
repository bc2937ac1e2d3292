"""Notes of several candidates put together: each under the candidate's name, the same one once, equal forecasts named.

A network's notes call it by its model, which "gru" and "log-gru" share; a comparison calls candidates by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..comparison import Evaluation

if TYPE_CHECKING:
    from .forecaster import Forecaster

__all__ = ["joined_notes", "left_out_together", "same_forecasts"]

_CHOSEN = re.compile(
    r"(?P<before>(?:.*?\. )?)(?P<what>(?:(?!\. ).)+), chosen by (?P<by>AICc?)\.(?P<after>(?: .+)?)", re.DOTALL
)
_ROUNDED = re.compile(r"(?P<method>\S+) (?P<said>took the season of \S+ rows as [\d,]+\.)\s*")
_LEFT_OUT = re.compile(r"(?P<name>\S+) is left out: (?P<why>.+)", re.DOTALL)
_EQUAL = 1e-5
"""Of the spread of the actual values: nearer than this, two forecasts print the same digits."""


def joined_notes(estimators: Mapping[str, Forecaster]) -> list[str]:
    """The notes of all candidates, in order: the same note of several under all their names, what was chosen by an
    information criterion in one sentence for each criterion, and who took a season as a whole number of rows in one.

    A note that begins with the name of a model is one about that candidate; others are told once.
    """
    by_text: dict[str, list[str]] = {}
    chosen: dict[str, list[str]] = {}
    for name, estimator in estimators.items():
        for note in estimator.notes_:
            mine, text = _own(note, estimator.model)
            rounded = _ROUNDED.match(text)
            if rounded is not None and estimator.model.endswith(rounded["method"]):
                by_text.setdefault(f"\1{rounded['said']}", []).append(rounded["method"])
                text = text[rounded.end() :]
                mine = not _of_method(text, estimator.model)
                if not text:
                    continue
            found = _CHOSEN.fullmatch(text)
            if found is None or not (mine or _of_method(text, estimator.model)):
                by_text.setdefault(text, []).extend([name] if mine else [])
                continue
            for beside in (found["before"].strip(), found["after"].strip()):
                if beside:  # a sentence on the method, whose name "auto-ets" and "log-auto-ets" share
                    by_text.setdefault(beside, []).extend([] if _of_method(beside, estimator.model) else [name])
            chosen.setdefault(found["by"], []).append(f"{name} {found['what']}")
            by_text.setdefault(f"\0{found['by']}", [])  # keeps its place
    told = []
    for text, names in by_text.items():
        if text.startswith("\0"):
            told.append(f"Chosen by {text[1:]}: {'; '.join(chosen[text[1:]])}.")
        elif text.startswith("\1"):
            told.append(f"{', '.join(dict.fromkeys(names))} {text[1:]}")
        else:
            told.append(f"{', '.join(dict.fromkeys(names))}: {text}" if names else text)
    return told


def _own(note: str, model: str) -> tuple[bool, str]:
    """Whether a note is about the model itself, and what it says without the model's name."""
    begins = f"{model}: "
    return (True, note[len(begins) :]) if note.startswith(begins) else (False, note)


def _of_method(text: str, model: str) -> bool:
    """Whether a sentence begins with the name of the model, or of the method in it ("auto-ets" in "log-auto-ets")."""
    return model.endswith(text.partition(" ")[0])


def left_out_together(notes: Sequence[str]) -> list[str]:
    """One sentence for all models that are left out for the same reason; other notes as they are.

    >>> why = "is left out: Baseline '{0}' needs 10 training rows, there are 9; leave '{0}' out."
    >>> left_out_together([f"{name} " + why.format(name) for name in ("ets", "theta")])
    ['ets, theta are left out: each needs 10 training rows, there are 9; leave them out.']
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for note in notes:
        found = _LEFT_OUT.fullmatch(note)
        if found is None:
            groups.setdefault(note, [])
        else:
            # What is said of a model by its name in quotes is the same reason for any other.
            key = found["why"].replace(f"'{found['name']}'", "\0")
            groups.setdefault(key, []).append((found["name"], note))
    told = []
    for key, members in groups.items():
        if not members:
            told.append(key)
        elif len(members) == 1:
            told.append(members[0][1])
        else:
            why = key.replace("Baseline \0", "each").replace("leave \0 out", "leave them out").replace("\0", "each")
            told.append(f"{', '.join(name for name, _ in members)} are left out: {why}")
    return told


def same_forecasts(*parts: Mapping[str, Evaluation]) -> list[str]:
    """A sentence on candidates whose forecasts are the same on all `parts`, so that their figures are, too."""
    groups: list[list[str]] = []
    for name in parts[0]:
        for group in groups:
            if all(_same(part[group[0]], part[name]) for part in parts):
                group.append(name)
                break
        else:
            groups.append([name])
    told = [_words(group) for group in groups if len(group) > 1]
    return [f"The same forecasts, to the digit: {'; '.join(told)}."] if told else []


def _words(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}"


def _same(one: Evaluation, other: Evaluation) -> bool:
    mine, theirs, actual = one.predictions["predicted"], other.predictions["predicted"], one.predictions["actual"]
    known = np.isfinite(mine)
    if mine.shape != theirs.shape or not np.array_equal(known, np.isfinite(theirs)):
        return False
    if not known.any():
        return False
    values = actual[np.isfinite(actual)]
    spread = float(np.ptp(values)) if len(values) else 0.0
    return bool(np.abs(mine[known] - theirs[known]).max() <= _EQUAL * spread)

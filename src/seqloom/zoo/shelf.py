"""The models of the zoo: one folder of `models/` each, which holds the model folder and its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seqloom_runtime.errors import FormatError, SettingError, shown, suggest
from seqloom_runtime.files import read_json

__all__ = ["CARD", "PREFIX", "Card", "card", "card_at", "folder", "load", "names"]

PREFIX = "zoo:"
"""What a model of the zoo is named with where a run or a model folder may be named too."""
CARD = "card.json"
_MODELS = Path(__file__).parent / "models"
_KINDS: Mapping[type, str] = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model of the zoo is, what it was made of, and what it is good for.

    estimator: the class of `seqloom`; architecture: in a phrase; data, licence: of what it learned from; parameters;
    bytes: of the model folder. scores: each with `name`, `value`, `unit`, `on` (what was scored) and `beside`, the same
    score of a plain method. command: what makes the model again. made: versions, seed and threads. limits: what it
    can't do, a sentence each. tries: commands that show it at work. example: `input` and `output` of a prediction.
    files: SHA-256 of the files of the model folder.
    """

    name: str
    title: str
    estimator: str
    architecture: str
    data: str
    licence: str
    parameters: int
    bytes: int
    scores: list[dict[str, Any]]
    command: str
    made: dict[str, Any]
    limits: list[str]
    tries: list[str]
    example: dict[str, Any]
    files: dict[str, str]

    def score_texts(self) -> list[str]:
        """Each score in a phrase, beside that of plain methods."""
        found = []
        for score in self.scores:
            beside = ", ".join(f"{name} {_number(value)}" for name, value in score["beside"].items())
            plain = f" ({beside})" if beside else ""
            found.append(f"{score['name']} {_number(score['value'])}{score['unit']} on {score['on']}{plain}")
        return found


def _number(value: float) -> str:
    return f"{value:,.4g}"


def names() -> list[str]:
    """The models that there are, in the order of the alphabet."""
    return sorted(path.parent.name for path in _MODELS.glob(f"*/{CARD}"))


def folder(name: str) -> Path:
    """The folder of a model, which `seqloom.load` and the commands open; raises SettingError for an unknown name."""
    name = name.removeprefix(PREFIX)
    known = names()
    if name not in known:
        raise SettingError(
            f"zoo: expected a model of the zoo ({', '.join(known)}), got {shown(name)}.{suggest(name, known)}"
        )
    return _MODELS / name


def card(name: str) -> Card:
    """What there is to know about a model; raises SettingError for an unknown name."""
    return card_at(folder(name) / CARD)


def card_at(path: Path) -> Card:
    """A card from its file; raises FormatError where it is damaged."""
    found = read_json(path)
    kinds = {field.name: _kind(str(field.type)) for field in fields(Card)}
    if not isinstance(found, dict) or set(found) != set(kinds):
        raise FormatError(f"{path}: expected a card with {', '.join(kinds)}; install seqloom again.")
    for name, kind in kinds.items():
        if not isinstance(found[name], kind):
            raise FormatError(f"{path}: {name}: expected {_KINDS[kind]}, got {shown(found[name])}.")
    return Card(**found)


def _kind(annotation: str) -> type:
    return next(kind for kind in _KINDS if annotation.startswith(kind.__name__))


def load(name: str) -> Any:
    """The fitted estimator; its files are checked against their checksums as those of any model folder.

    Raises SettingError for an unknown name, FormatError where the files were altered.
    """
    from ..tasks import load as load_folder

    return load_folder(folder(name))

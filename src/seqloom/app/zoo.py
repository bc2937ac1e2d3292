"""`seqloom zoo`: the trained models that come with the package, and the card of one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from . import options as o

if TYPE_CHECKING:
    from ..zoo import Card

__all__ = ["zoo"]

Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Which model; without a name they are listed.", show_default=False),
]


def zoo(name: Name = None, json: o.Json = False) -> None:
    """List the trained models that come with seqloom, or show the card of one.

    Wherever a command opens a RUN, zoo:NAME opens one of these, without a network: seqloom predict zoo:co2
    """
    from ..zoo import card, names
    from .columns import json_text, say, say_lines

    if name is not None:
        found = card(name)
        if json:
            say(json_text(asdict(found)))
        else:
            say_lines(_lines(found))
        return
    cards = [card(each) for each in names()]
    if json:
        say(json_text({"models": [asdict(each) for each in cards]}))
        return
    say(_table(cards))
    say()
    say_lines(["The card of one: seqloom zoo NAME. It opens as zoo:NAME, or in Python as seqloom.zoo.load(NAME)."])


def _table(cards: list[Card]) -> str:
    from .columns import text_table

    return text_table(
        [
            ("name", [each.name for each in cards]),
            ("what it does", [each.title for each in cards]),
            ("parameters", [f"{each.parameters:,}" for each in cards]),
            ("KB", [f"{each.bytes / 1000:,.0f}" for each in cards]),
        ],
        keep=2,
        right_from=2,
    )


def _lines(found: Card) -> list[str]:
    facts = {
        "model": f"{found.estimator}, {found.architecture}",
        "size": f"{found.parameters:,} parameters, {found.bytes:,} bytes",
        "data": found.data,
        "licence": found.licence,
        "made by": f"{found.command} ({', '.join(f'{name} {value}' for name, value in found.made.items())})",
    }
    return [
        f"zoo:{found.name}: {found.title}.",
        *(f"{name + ':':<10}{value}" for name, value in facts.items()),
        *(f"{'score:':<10}{text}" for text in found.score_texts()),
        *(f"{'limit:':<10}{text}" for text in found.limits),
        *(f"{'try:':<10}{text}" for text in found.tries),
    ]

"""`seqloom zoo`, and `zoo:NAME` where a command opens a run."""

from __future__ import annotations

import json
import shlex

import pytest
from command_line import Command, Refused

from seqloom import zoo

TRIES = [(name, line) for name in zoo.names() for line in zoo.card(name).tries]


def test_models_are_listed_and_shown(command: Command, refused: Refused) -> None:
    listed = command("zoo").out
    cards = json.loads(command("zoo", "--json").out)["models"]
    assert [card["name"] for card in cards] == zoo.names()
    for name in zoo.names():
        card = zoo.card(name)
        assert card.title in listed
        shown = command("zoo", name).out
        assert card.licence in shown
        assert all(limit in shown for limit in card.limits)
        assert json.loads(command("zoo", name, "--json").out)["parameters"] == card.parameters
    assert "Did you mean 'sine'" in refused("zoo", "sines")
    assert "Did you mean 'sine'" in refused("inspect", "zoo:sines")


@pytest.mark.parametrize(("name", "line"), TRIES)
def test_what_a_card_says_to_try_works(command: Command, name: str, line: str) -> None:
    called, *arguments = shlex.split(line)
    assert called == "seqloom"
    assert any(part.startswith(f"zoo:{name}") for part in arguments)
    outcome = command(*arguments)
    assert outcome.code == 0, outcome
    assert outcome.out.strip()

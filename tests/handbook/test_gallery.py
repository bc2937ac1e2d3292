"""The gallery: every system of the catalogue is there, its code runs, its facts hold, and the picture is its own."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from handbook.steps import STEPS, step_page
from handbook.systems import GROUPS, System, systems

COUNTS = {"a": 16, "b": 11, "c": 13, "d": 10, "e": 8, "f": 11, "g": 8}
SYSTEMS = [system for group in GROUPS for system in systems(group)]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id)
def test_the_facts_hold_and_a_picture_is_drawn(system: System) -> None:
    drawn = ElementTree.fromstring(f"<div>{system.draw()}</div>")
    assert len(drawn)
    assert all(picture.tag.endswith("svg") for picture in drawn)


@pytest.mark.parametrize("group", GROUPS)
def test_every_system_is_there_and_tells_what_it_is(group: str) -> None:
    found = systems(group)
    assert [system.id for system in found] == [f"{group.upper()}{n + 1}" for n in range(COUNTS[group])]
    for system in found:
        tree = ast.parse(system.code)  # code that can be copied: whole, with its imports
        assert isinstance(tree.body[0], (ast.Import, ast.ImportFrom))
        assert "assert" in system.code, system.id
        assert system.text
        assert "picture = " in system.code


@pytest.mark.parametrize("name", STEPS)
def test_the_numbers_of_a_step_are_the_engines(name: str) -> None:
    page = step_page(name)  # raises where they are not
    assert page.startswith("# ")
    assert name == "dropout" or "The engine gives" in page
    assert "<svg" in page


def test_a_wrong_number_of_a_step_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handbook.steps._sigmoid", lambda a: 1 / (1 + np.exp(-1.001 * a)))
    with pytest.raises(AssertionError):
        step_page("gru")

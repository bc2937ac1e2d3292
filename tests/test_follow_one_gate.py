"""docs/follow-one-gate.md names files and functions that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_step_is_there() -> None:
    page = ROOT / "docs" / "follow-one-gate.md"
    steps = re.findall(r"^\| \d+ \| `([^`]+)` \| ([^|]+) \|", page.read_text(encoding="utf-8"), flags=re.M)
    assert len(steps) > 10
    for name, functions in steps:
        text = (ROOT / name).read_text(encoding="utf-8")
        for function in re.findall(r"`([^`]+)`", functions):
            last = re.escape(function.split(".")[-1])
            defined = rf"^\s*(?:class|def) {last}\b|^{last}\b.* = |^(?:\[\[[\w:]+\]\] )?\w[\w:<>&*\s]*\b{last}\("
            assert re.search(defined, text, flags=re.M), f"{page.name}: {name} has no {function}"

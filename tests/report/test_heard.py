"""Tokens over the frames of a sound: labels that would stand over one another are left out, the tokens are not."""

from __future__ import annotations

import re
from typing import Any

from seqloom.report.heard import _sound


def drawn(*spans: tuple[str, int, int]) -> str:
    sound: dict[str, Any] = {"row": 3, "shades": [[0, 255]] * 60, "seconds": 0.01, "actual": "a", "predicted": "b"}
    return _sound({**sound, "spans": [{"token": token, "first": a, "last": b} for token, a, b in spans]})


def labels(page: str) -> list[tuple[int, str]]:
    return [(int(x), text) for x, text in re.findall(r'<text x="(\d+)" y="13"[^>]*>([^<]*)</text>', page)]


def test_labels_that_would_overlap_are_left_out() -> None:
    page = drawn(("stop", 0, 4), ("go", 5, 7), ("left", 20, 30), (" ", 30, 31), ("<up>", 40, 45))
    assert labels(page) == [(0, "stop"), (80, "left"), (120, "␣"), (160, "&lt;up&gt;")]
    assert page.count("<rect") == 5
    assert "<title>go: 0.05 to 0.07 s</title>" in page
    assert "go 0.05 to 0.07 s" in page  # of the whole picture, for a reader who sees none


def test_wide_letters_need_more_room() -> None:
    assert labels(drawn(("aa", 0, 2), ("b", 4, 5))) == [(0, "aa"), (16, "b")]
    assert labels(drawn(("日本", 0, 2), ("b", 4, 5), ("c", 6, 7))) == [(0, "日本"), (24, "c")]

"""A griffe extension: the doctests of a docstring stand as code on its page of the reference."""

from __future__ import annotations

import re
from typing import Any

import griffe  # pyright: ignore[reportMissingImports] (of the docs extra)

__all__ = ["Doctests", "with_fences"]

_DOCTEST = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)
# A pair of brackets behind another is no link in a docstring, such as windows[0][1].
_BRACKETS = re.compile(r"\](?=[\[(])")


def with_fences(text: str) -> str:
    """A docstring in Markdown: each doctest in a fence, and nothing else of it a link."""
    pieces, at = [], 0
    for found in _DOCTEST.finditer(text):
        pieces += [_BRACKETS.sub(r"\]", text[at : found.start()]), f"```pycon\n{found[0]}\n```"]
        at = found.end()
    return "".join([*pieces, _BRACKETS.sub(r"\]", text[at:])])


class Doctests(griffe.Extension):
    """Rewrites each docstring once, when its object has been read."""

    def on_instance(self, *, obj: griffe.Object, **others: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = with_fences(obj.docstring.value)

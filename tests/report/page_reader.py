"""Takes a report page apart for the tests."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Reader(HTMLParser):
    """Collects tags, headings, scripts and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.heads: list[str] = []
        self.blocks: dict[str, Any] = {}
        self.code: list[str] = []
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, attrs = self._open[-1] if self._open else ("", {})
        if tag == "h2":
            self.heads.append(data)
        elif tag == "script" and attrs.get("type") == "application/json":
            self.blocks[str(attrs["id"])] = json.loads(data)
        elif tag == "script":
            self.code.append(data)


def values(spec: Any) -> list[list[dict[str, Any]]]:
    """Every list of inline rows of a specification."""
    if isinstance(spec, dict):
        found = list(spec.get("datasets", {}).values())
        if isinstance(spec.get("data"), dict) and "values" in spec["data"]:
            found.append(spec["data"]["values"])
        return found + [rows for k, v in spec.items() if k not in ("datasets", "data") for rows in values(v)]
    return [rows for item in spec for rows in values(item)] if isinstance(spec, list) else []

"""How a comparison of language models counts its texts: in the tokens that its scores are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqloom_runtime.data.text import Corpus, TextFile

from ..comparison.task import Task

__all__ = ["LanguageTask"]


class LanguageTask(Task):
    """`seqloom lm`: words of word models, each line's end among them as in the perplexity; else characters."""

    def __init__(self, level: str, **options: Any) -> None:
        super().__init__("lm", unit="character" if level == "char" else "word", **options)
        self.counts: dict[str, int] = {}

    def data(self, parts: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        """What identifies the data; it is counted in characters there, so that older runs go on."""
        found = super().data(parts)
        self.counts = dict(self.sizes)
        for name, (text, *_) in parts.items():
            if isinstance(text, TextFile):
                self.counts[name] = text.count()
            elif self.unit == "word" and isinstance(text, str):
                self.counts[name] = sum(map(len, Corpus(text).lines()))
        return found

    def about(self, valid: Mapping[str, Any], test: Mapping[str, Any]) -> dict[str, Any]:
        """What metrics.json says before the models."""
        return {**super().about(valid, test), "examples": self.counts}

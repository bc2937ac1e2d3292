"""What a comparison of word vectors says and writes beside the usual: nearest words, analogies, a file of vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..comparison import Evaluation
from ..comparison.compare import Comparison
from ..comparison.task import Task

__all__ = ["EmbeddingTask"]

_TOLD = 3  # rows of a table that are said in a sentence where no words were asked for


class EmbeddingTask(Task):
    """near: words whose neighbours are shown; analogies: (first, second, third) each; a few usual ones where empty."""

    def __init__(
        self,
        *,
        source: Mapping[str, Any],
        near: Sequence[str] = (),
        analogies: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        super().__init__("embed", target="the words around a word", unit="character", source=source)
        self.near, self.analogies = tuple(near), tuple(analogies)

    def evaluate(self, estimator: Any, part: str, data: tuple[Any, ...]) -> Evaluation:
        """The score, and the words that were asked for."""
        return estimator.evaluate(*data, near=self.near, analogies=self.analogies)

    def statements(
        self, valid: Mapping[str, Evaluation], test: Mapping[str, Evaluation], baseline: str, best: str
    ) -> list[str]:
        """The comparison, then what the best vectors say to the words that were asked for."""
        told = super().statements(valid, test, baseline, best)
        for table in test[best].details.get("tables", ()):
            asked = self.analogies if table["title"] == "Analogies" else self.near
            for question, answer in table["rows"] if asked else table["rows"][:_TOLD]:
                told.append(f"{table['title']} by {best}: {question} {'' if '?' in question else '→ '}{answer}.")
        return told

    def write(self, root: Path, run: Comparison) -> None:
        """The usual files, and the best vectors as text that other programs read."""
        super().write(root, run)
        run.best.vectors_.write(root / "vectors.txt")

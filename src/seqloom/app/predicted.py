"""What a model said about examples: columns of equal length, with sentences about how they were read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Predicted"]


class Predicted(dict[str, Sequence[Any]]):
    """Name of a column → its values, a row for each example; `notes` holds a sentence for each choice of the reader.

    >>> Predicted({"predicted": ["ham"]}, ["Each line is a text."]).notes
    ['Each line is a text.']
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], notes: Sequence[str] = ()) -> None:
        super().__init__(columns)
        self.notes = list(notes)
